//! Calls that check an update, or send it and wait.

use super::bridge::Bridge;
use super::process::Client;
use crate::delivery::{Answer, RouteChoice};
use crate::error::Error;
use crate::order::{self, Call, Checked, Context, Fields, Invalid, Problem, Value};
use crate::results::{Receipt, Validation};
use std::time::Instant;

impl Validation {
    /// Checks an update of any site without a client, for tools that inspect updates of other clients:
    /// times need an offset, and an invalid field is an error.
    ///
    /// ```
    /// use katalys_core::{Call, Fields, Validation};
    /// let fields = Fields::new().set("order_status", "refund");
    /// let found = Validation::of(Call::Update, "abcd.com", &"1001".into(), &fields).problems;
    /// assert_eq!(found[0].code.as_str(), "status_misspelled");
    /// ```
    pub fn of(call: Call, site_id: &str, order_id: &Value<'_>, fields: &Fields<'_>) -> Self {
        let context = Context {
            call,
            site_id,
            zone: None,
            invalid: Invalid::Raise,
        };
        Self::from(order::check(&context, order_id, fields))
    }
}

impl From<Result<Checked, Vec<Problem>>> for Validation {
    fn from(checked: Result<Checked, Vec<Problem>>) -> Self {
        match checked {
            Ok(checked) => Self {
                payload: Some(checked.payload),
                problems: checked.warnings,
            },
            Err(problems) => Self {
                payload: None,
                problems,
            },
        }
    }
}

impl Client {
    /// Reports the status of an order, and waits until the endpoint has received it.
    ///
    /// # Errors
    /// Any [`Error`]; see its kinds.
    pub fn update_order<'v>(
        &self,
        order_id: impl Into<Value<'v>>,
        fields: impl Into<Fields<'v>>,
    ) -> Result<Receipt, Error> {
        self.call(Call::Update, &order_id.into(), &fields.into())
    }

    /// Reports a complete order, with the fields that the endpoint requires, and waits until the
    /// endpoint has received it. Without an `order_time`, the time of this call is sent.
    ///
    /// # Errors
    /// Any [`Error`]; see its kinds.
    pub fn report_order<'v>(
        &self,
        order_id: impl Into<Value<'v>>,
        fields: impl Into<Fields<'v>>,
    ) -> Result<Receipt, Error> {
        self.call(Call::Report, &order_id.into(), &fields.into())
    }

    /// Checks what [`update_order`](Self::update_order) would send, and sends nothing.
    ///
    /// ```
    /// # use katalys_core::{Client, Fields};
    /// let client = Client::new("abcd.com")?;
    /// let checked = client.validate_update("1001", Fields::new().set("currency", "eur"));
    /// let payload = br#"{"site_id":"abcd.com","order_id":"1001","currency":"EUR"}"#;
    /// assert_eq!(checked.payload.unwrap(), payload);
    /// # Ok::<(), katalys_core::Error>(())
    /// ```
    pub fn validate_update<'v>(
        &self,
        order_id: impl Into<Value<'v>>,
        fields: impl Into<Fields<'v>>,
    ) -> Validation {
        self.validate(Call::Update, &order_id.into(), &fields.into())
    }

    /// Checks what [`report_order`](Self::report_order) would send, and sends nothing.
    pub fn validate_report<'v>(
        &self,
        order_id: impl Into<Value<'v>>,
        fields: impl Into<Fields<'v>>,
    ) -> Validation {
        self.validate(Call::Report, &order_id.into(), &fields.into())
    }

    /// The route of updates: endpoint, proxy, trust.
    ///
    /// # Errors
    /// `ConfigError` if a file named in the settings can no longer be read after a fork.
    pub fn route(&self) -> Result<RouteChoice, Error> {
        Ok(self.process()?.link.transport.route())
    }

    /// Checks whether the endpoint answers, over a connection made as for an update. Sends no
    /// order, and tries once, for up to the client's `timeout`.
    ///
    /// # Errors
    /// `TransportError` or `TimeoutError`, as a call would have it.
    pub fn probe(&self) -> Result<Answer, Error> {
        let deadline = Instant::now() + self.config.timeout;
        let answer = self.process()?.link.transport.probe(deadline);
        answer.map_err(|failure| Error::new(failure.code, failure.reason))
    }

    fn call(
        &self,
        call: Call,
        order_id: &Value<'_>,
        fields: &Fields<'_>,
    ) -> Result<Receipt, Error> {
        let update = self.prepare(call, order_id, fields)?;
        for warning in self.unlogged(&update.warnings) {
            log::warn!(target: "katalys", "{warning}");
        }
        self.send(update)
    }
}
