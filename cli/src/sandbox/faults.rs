//! Injects faults: rules that decide which requests get something other than their 204.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A rule, as given by `--fault`, by `POST /_sandbox/faults` or on the page.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The status of the response, 200 to 599.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// Milliseconds before the response, alone or with another fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    latency: Option<u64>,
    /// Never respond.
    #[serde(default, skip_serializing_if = "is_false")]
    hang: bool,
    /// Reset the connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    reset: Option<Reset>,
    /// The `Location` of a redirect.
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect: Option<String>,
    /// Maximum number of requests per second; further ones get 429.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<u32>,
    /// Seconds for `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u32>,
    /// The share of requests that the rule applies to, above 0 and up to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    probability: Option<f64>,
    /// How many more times the rule applies.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
    /// Only updates of this order.
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<String>,
    /// Only updates of this site.
    #[serde(skip_serializing_if = "Option::is_none")]
    site_id: Option<String>,
    /// Record the update nevertheless, as when only the response is lost.
    #[serde(default, skip_serializing_if = "is_false")]
    apply: bool,
}

/// When a connection is reset.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Reset {
    /// With the request's body unread.
    Before,
    /// After the whole request was read.
    After,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The regular response, after the rule's latency.
    Delay,
    Respond {
        status: u16,
        location: Option<String>,
        retry_after: Option<u32>,
    },
    Hang,
    Reset,
}

/// The fault that a request gets.
#[derive(Clone, Debug)]
pub struct Fault {
    pub action: Action,
    pub latency: Duration,
    pub apply: bool,
    /// The rule as JSON, for the store.
    pub rule: String,
}

const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];
const MAX_LATENCY: u64 = 600_000;

impl Rule {
    /// Reads `status=503,probability=0.1`, or the same as a JSON object.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rule = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| error.to_string())?
        } else {
            let pairs = text.split(',').filter(|part| !part.trim().is_empty());
            let map: Map<String, Value> = pairs.map(read_pair).collect();
            serde_json::from_value(Value::Object(map)).map_err(|error| error.to_string())?
        };
        Self::checked(rule)
    }

    /// Reads the body of a request: one rule, or a list.
    pub fn parse_all(body: &[u8]) -> Result<Vec<Self>, String> {
        let value: Value = serde_json::from_slice(body)
            .map_err(|error| format!("the body is not JSON: {error}"))?;
        let items = match value {
            Value::Array(items) => items,
            one => vec![one],
        };
        let read = |item| {
            let rule =
                serde_json::from_value(item).map_err(|error: serde_json::Error| error.to_string());
            rule.and_then(Self::checked)
        };
        items.into_iter().map(read).collect()
    }

    fn checked(rule: Self) -> Result<Self, String> {
        rule.problem()
            .map_or(Ok(()), |problem| Err(problem.to_owned()))?;
        Ok(rule)
    }

    fn problem(&self) -> Option<&'static str> {
        let kinds = [
            self.hang,
            self.reset.is_some(),
            self.redirect.is_some(),
            self.rate.is_some(),
        ];
        let kinds = kinds.into_iter().filter(|given| *given).count();
        let is_redirect = self.redirect.is_some();
        match self {
            _ if kinds > 1 => Some("give only one of hang, reset, redirect and rate"),
            _ if kinds == 0 && self.status.is_none() && self.latency.is_none() => {
                Some("give status, latency, hang, reset, redirect or rate")
            }
            Self {
                status: Some(status),
                ..
            } if !(200..600).contains(status) => Some("status must be from 200 to 599"),
            Self {
                status: Some(status),
                ..
            } if is_redirect && !REDIRECTS.contains(status) => {
                Some("the status of a redirect must be 301, 302, 303, 307 or 308")
            }
            Self {
                status: Some(_), ..
            } if self.hang || self.reset.is_some() => {
                Some("hang and reset cannot be combined with status")
            }
            Self {
                probability: Some(share),
                ..
            } if !(*share > 0.0 && *share <= 1.0) => {
                Some("probability must be above 0 and up to 1")
            }
            Self {
                latency: Some(latency),
                ..
            } if *latency > MAX_LATENCY => Some("latency must be at most 600000 milliseconds"),
            Self {
                reset: Some(Reset::Before),
                ..
            } if self.order_id.is_some() || self.site_id.is_some() || self.apply => Some(
                "reset=before happens before the body is read; it cannot be combined with order_id, site_id or apply",
            ),
            Self {
                redirect: Some(place),
                ..
            } if !place.bytes().all(|b| (0x21..0x7f).contains(&b)) => {
                Some("redirect must be a URL or a path in ASCII without blanks")
            }
            _ => None,
        }
    }

    fn action(&self) -> Action {
        if self.hang {
            return Action::Hang;
        }
        if self.reset.is_some() {
            return Action::Reset;
        }
        let status = match self.status {
            Some(status) => status,
            None if self.redirect.is_some() => 307,
            None if self.rate.is_some() => 429,
            None => return Action::Delay,
        };
        Action::Respond {
            status,
            location: self.redirect.clone(),
            retry_after: self.retry_after.or(self.rate.map(|_| 1)),
        }
    }

    fn is_for(&self, order: Option<(&str, &str)>) -> bool {
        let (site_id, order_id) = order.unzip();
        let fits = |wanted: &Option<String>, given: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| given == Some(wanted))
        };
        fits(&self.site_id, site_id) && fits(&self.order_id, order_id)
    }
}

/// Reads `key=value`; a key alone means true.
fn read_pair(pair: &str) -> (String, Value) {
    let (key, text) = pair.trim().split_once('=').unwrap_or((pair.trim(), "true"));
    let key = key.replace('-', "_");
    let is_text = matches!(key.as_str(), "order_id" | "site_id" | "redirect" | "reset");
    let value = match serde_json::from_str(text) {
        Ok(value) if !is_text => value,
        _ => Value::from(text),
    };
    (key, value)
}

/// An active rule.
#[derive(Serialize)]
struct ActiveRule {
    id: u64,
    #[serde(flatten)]
    rule: Rule,
    /// How many requests it was applied to.
    hits: u64,
    #[serde(skip)]
    second: Option<(Instant, u32)>,
}

impl ActiveRule {
    /// Whether the rule applies to this request; counts it if so.
    fn applies(&mut self, order: Option<(&str, &str)>) -> bool {
        let rule = &mut self.rule;
        if !rule.is_for(order)
            || rule.next == Some(0)
            || rule
                .probability
                .is_some_and(|share| fastrand::f64() >= share)
            || rule
                .rate
                .is_some_and(|rate| !exceeds(rate, &mut self.second))
        {
            return false;
        }
        if let Some(next) = &mut rule.next {
            *next -= 1;
        }
        self.hits += 1;
        true
    }

    fn fault(&self) -> Fault {
        Fault {
            action: self.rule.action(),
            latency: Duration::from_millis(self.rule.latency.unwrap_or(0)),
            apply: self.rule.apply,
            rule: serde_json::to_string(&self.rule).unwrap_or_default(),
        }
    }
}

fn exceeds(rate: u32, second: &mut Option<(Instant, u32)>) -> bool {
    let (began, count) = second.get_or_insert_with(|| (Instant::now(), 0));
    if began.elapsed() >= Duration::from_secs(1) {
        (*began, *count) = (Instant::now(), 0);
    }
    *count += 1;
    *count > rate
}

/// All rules, oldest first; the first that applies decides.
#[derive(Default)]
pub struct Faults {
    entries: Mutex<(u64, Vec<ActiveRule>)>,
}

impl Faults {
    pub fn new(rules: Vec<Rule>) -> Self {
        let faults = Self::default();
        faults.add(rules);
        faults
    }

    /// Activates rules and returns them as JSON.
    pub fn add(&self, rules: Vec<Rule>) -> Value {
        let mut entries = self.lock();
        let added = rules.into_iter().map(|rule| {
            entries.0 += 1;
            let entry = ActiveRule {
                id: entries.0,
                rule,
                hits: 0,
                second: None,
            };
            let shown = serde_json::to_value(&entry).unwrap_or_default();
            entries.1.push(entry);
            shown
        });
        Value::Array(added.collect())
    }

    pub fn list(&self) -> Value {
        serde_json::to_value(&self.lock().1).unwrap_or_default()
    }

    /// Removes one rule, or all; returns whether there was one.
    pub fn remove(&self, id: Option<u64>) -> bool {
        let entries = &mut self.lock().1;
        let before = entries.len();
        entries.retain(|entry| id.is_some_and(|id| id != entry.id));
        entries.len() < before
    }

    /// Whether to reset the connection before the body is read.
    pub fn resets_before(&self) -> bool {
        let entries = &mut self.lock().1;
        let mut before = entries
            .iter_mut()
            .filter(|entry| entry.rule.reset == Some(Reset::Before));
        before.any(|entry| entry.applies(None))
    }

    /// The fault of a request whose body was read; `order` is its site id and order id.
    pub fn pick(&self, order: Option<(&str, &str)>) -> Option<Fault> {
        let entries = &mut self.lock().1;
        let mut after = entries
            .iter_mut()
            .filter(|entry| entry.rule.reset != Some(Reset::Before));
        after.find_map(|entry| entry.applies(order).then(|| entry.fault()))
    }

    fn lock(&self) -> MutexGuard<'_, (u64, Vec<ActiveRule>)> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_and_json_are_equivalent() {
        let flag = Rule::parse("status=503,retry-after=2,probability=0.5,next=3,order_id=12")
            .expect("a rule");
        let json = Rule::parse(
            r#"{"status":503,"retry_after":2,"probability":0.5,"next":3,"order_id":"12"}"#,
        );
        assert_eq!(format!("{flag:?}"), format!("{:?}", json.expect("a rule")));
        assert_eq!(Rule::parse("hang").expect("a rule").action(), Action::Hang);
    }

    #[test]
    fn contradictory_rules_are_refused() {
        for wrong in [
            "",
            "status=99",
            "hang,reset=after",
            "status=503,hang",
            "probability=0.5",
            "status=503,probability=0",
            "redirect=/x,status=503",
            "reset=before,order_id=1",
            "reset=sometimes",
            "statsu=503",
            "latency=-1",
        ] {
            assert!(Rule::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_first_rule_that_applies_decides_until_its_count_is_used_up() {
        let rules = [
            "status=500,next=1",
            "status=503,order_id=1",
            "latency=5,site_id=b",
        ];
        let faults = Faults::new(
            rules
                .map(|rule| Rule::parse(rule).expect("a rule"))
                .to_vec(),
        );
        let status = |order| match faults.pick(order).map(|fault| fault.action) {
            Some(Action::Respond { status, .. }) => status,
            Some(_) => 1,
            None => 0,
        };
        assert_eq!(status(Some(("a", "1"))), 500);
        assert_eq!(status(Some(("a", "1"))), 503);
        assert_eq!(status(Some(("a", "2"))), 0);
        assert_eq!(status(Some(("b", "2"))), 1);
        assert_eq!(status(None), 0);
    }
}
