// One order: what it has become, update by update.

import * as api from './api.js';
import { byId, copy, h, icon } from './dom.js';
import {
  badge,
  keyOf,
  moment,
  money,
  number,
  placed,
  plural,
  shown,
  since,
  time,
} from './format.js';
import { LANGUAGES } from './snippets.js';

const MOST_REMARKS = 6;

let about = { fields: [], groups: [], statuses: [], endpoint: '' };
let current = null;
let revision = -1;
let place;
let close;

export function start(options) {
  close = options.close;
  place = byId('details');
  place.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') {
      close();
      event.stopPropagation();
    }
  });
}

export function setAbout(given) {
  about = given;
}

export async function show(order, takeFocus) {
  if (!order) {
    current = null;
    place.hidden = true;
    place.replaceChildren();
    return;
  }
  current = order;
  revision = -1;
  await refresh();
  if (takeFocus) place.querySelector('.details-close')?.focus();
}

/** Draws anew if something changed; what was unfolded stays so. */
export async function refresh() {
  if (!current) return;
  const asked = keyOf(current);
  let order;
  try {
    order = await api.details(current);
  } catch (error) {
    if (current && keyOf(current) === asked) showMissing(error.message);
    return;
  }
  if (!current || keyOf(current) !== asked) return;
  const newest = order.timeline.at(-1)?.seq ?? 0;
  if (newest === revision) return;
  revision = newest;
  draw(order);
}

function showMissing(message) {
  place.hidden = false;
  place.replaceChildren(
    head(current.order_id, current.site_id, null),
    h('p', { class: 'lead pad' }, message),
  );
}

function draw(order) {
  const unfolded = new Set(
    [...place.querySelectorAll('details[open]')].map((item) => item.dataset.key),
  );
  const focused = place.contains(document.activeElement)
    ? document.activeElement.dataset.key
    : null;
  const top = place.querySelector('.details-body')?.scrollTop ?? 0;
  const steps = replay(order.timeline);
  place.hidden = false;
  place.replaceChildren(
    head(order.order_id, order.site_id, order.order_status),
    h(
      'div',
      { class: 'details-body', tabindex: '0', role: 'group', 'aria-label': 'Details' },
      facts(order),
      callouts(order),
      records(order),
      fieldTable(order),
      missing(order),
      timeline(order, steps),
    ),
  );
  for (const item of place.querySelectorAll('details')) item.open = unfolded.has(item.dataset.key);
  place.querySelector('.details-body').scrollTop = top;
  if (focused)
    [...place.querySelectorAll('[data-key]')].find((item) => item.dataset.key === focused)?.focus();
}

function head(id, site, status) {
  return h(
    'header',
    { class: 'details-head' },
    h(
      'div',
      { class: 'details-title' },
      h('p', { class: 'crumb' }, site),
      h('h2', { class: 'mono' }, id),
    ),
    status !== null && badge(status),
    h(
      'button',
      {
        type: 'button',
        class: 'icon-button',
        'data-key': 'copy-id',
        'aria-label': 'Copy the order id',
        title: 'Copy the order id',
        onclick: () => copy(id, 'the order id'),
      },
      icon('copy'),
    ),
    h(
      'button',
      {
        type: 'button',
        class: 'icon-button details-close',
        'data-key': 'close',
        'aria-label': 'Close details',
        title: 'Close (Esc)',
        onclick: () => close(),
      },
      icon('close'),
    ),
  );
}

function facts(order) {
  const { fields } = order;
  const fact = (name, ...value) =>
    h('div', { class: 'fact' }, h('dt', {}, name), h('dd', {}, value));
  const count = fields.order_count;
  const customer = order.returning_customer
    ? [icon('returning'), `Returning, ${shown(count)} orders`]
    : count === undefined
      ? 'Not said'
      : 'New, first order';
  return h(
    'dl',
    { class: 'facts' },
    fact('Amount', h('span', { class: 'big' }, money(order.sale_amount, order.currency))),
    fact('Customer', customer),
    fact(
      'Placed',
      placed(order.order_time),
      order.sources.order_time === 0 && h('span', { class: 'faint' }, ' (default: first seen)'),
    ),
    fact(
      'Last update',
      h(
        'time',
        { datetime: order.last_received_at, title: moment(order.last_received_at) },
        since(order.last_received_at),
      ),
    ),
  );
}

/** What the state means, and what a refund or a cancellation does. */
function callouts(order) {
  const status = order.order_status;
  const documented = about.statuses.find(({ name }) => name === status);
  const note = (kind, mark, title, text) =>
    h(
      'div',
      { class: `callout ${kind}` },
      icon(mark),
      h('div', {}, h('strong', {}, title), h('p', {}, text)),
    );
  const out = [];
  if (order.merged_from.length > 0) {
    const names = order.merged_from.flatMap((id, index) => [
      index > 0 && ', ',
      h('span', { class: 'mono' }, id),
    ]);
    out.push(
      note(
        'plain',
        'merge',
        ['One order with ', names],
        'An order_alias merged them: updates to any of these ids end up here. At Katalys this can change the order id, and it cannot be undone.',
      ),
    );
  }
  if (status === 'refunded' || status === 'cancelled') {
    out.push(
      note(
        'stop',
        'warning',
        `This order is ${status}`,
        `${documented?.doc ?? ''} This holds if the Offer is set up for it and the report came soon enough.`,
      ),
    );
  } else if (status && documented) {
    out.push(
      note(
        'plain',
        'check',
        `This order counts as ${status}`,
        status === 'pending'
          ? 'Report “paid” when the money is there. Reporting “cancelled” instead keeps it from being attributed to an affiliate.'
          : 'Reporting “refunded” or “cancelled” from here keeps it from being attributed to an affiliate, if the Offer is set up for that and the report comes soon enough.',
      ),
    );
  } else if (status) {
    out.push(
      note(
        'plain',
        'warning',
        'A status of the shop’s own',
        'The documented ones are pending, paid, refunded and cancelled. Only refunded and cancelled keep an order from being attributed.',
      ),
    );
  }
  if (order.returning_customer) {
    out.push(
      note(
        'plain',
        'returning',
        'A returning customer',
        'order_count is above 1, so Triggers for returning customers can match, if the Offer is set up for that.',
      ),
    );
  }
  return h('div', { class: 'callouts' }, out, remarks(order));
}

/** Everything that was ignored or is suspicious, once each, with the update it was last seen in. */
function remarks(order) {
  const places = positions(order);
  const found = new Map();
  for (const entry of order.timeline.filter(({ outcome }) => outcome === 'recorded')) {
    for (const { field, reason } of entry.ignored) found.set(`${field} ${reason}`, entry.seq);
    for (const { message } of entry.warnings) found.set(message, entry.seq);
  }
  if (found.size === 0) return null;
  const lines = [...found].slice(0, MOST_REMARKS).map(([text, seq]) =>
    h(
      'li',
      {},
      `${text}. `,
      h(
        'a',
        {
          href: `#seq-${seq}`,
          'data-key': `remark-${text}`,
          onclick: (event) => jump(event, seq),
        },
        `Update ${places.get(seq)}`,
      ),
    ),
  );
  const more = found.size - lines.length;
  return h(
    'div',
    { class: 'callout warn' },
    icon('warning'),
    h(
      'div',
      {},
      h('strong', {}, plural(found.size, 'thing'), ' to look at'),
      h('ul', {}, lines, more > 0 && h('li', {}, `And ${plural(more, 'other')} in the timeline.`)),
    ),
  );
}

/** Which place each request has among all of the order. */
function positions(order) {
  const cut = order.requests - order.timeline.length;
  return new Map(order.timeline.map((entry, index) => [entry.seq, index + 1 + cut]));
}

/** Discounts and line items, as tables. */
function records(order) {
  return about.groups.map((group) => {
    const rows = new Map();
    const columns = new Set(group.fields.map(({ name }) => name));
    for (const [key, value] of Object.entries(order.fields)) {
      const found = numbered(group, key);
      if (!found) continue;
      columns.add(found.part);
      if (!rows.has(found.number)) rows.set(found.number, {});
      rows.get(found.number)[found.part] = value;
    }
    if (rows.size === 0) return null;
    const used = [...columns].filter((part) => [...rows.values()].some((row) => part in row));
    const sorted = [...rows].sort(([a], [b]) => a - b);
    const isMoney = (part) => part === 'price' || part === 'amount';
    const cell = (row, part) =>
      part in row
        ? isMoney(part)
          ? money(shown(row[part]), order.currency)
          : shown(row[part])
        : '–';
    return section(
      titleOf(group),
      rows.size,
      h(
        'div',
        { class: 'table-box', tabindex: '0', role: 'group', 'aria-label': titleOf(group) },
        h(
          'table',
          {},
          h(
            'thead',
            {},
            h(
              'tr',
              {},
              h('th', { scope: 'col', class: 'narrow' }, '#'),
              used.map((part) =>
                h(
                  'th',
                  { scope: 'col', class: isMoney(part) || part === 'qty' ? 'right' : '' },
                  part,
                ),
              ),
            ),
          ),
          h(
            'tbody',
            {},
            sorted.map(([index, row]) =>
              h(
                'tr',
                {},
                h('td', { class: 'faint' }, number(index)),
                used.map((part) =>
                  h(
                    'td',
                    {
                      class:
                        isMoney(part) || part === 'qty'
                          ? 'right'
                          : part === 'sku' || part === 'code'
                            ? 'mono'
                            : '',
                    },
                    cell(row, part),
                  ),
                ),
              ),
            ),
          ),
        ),
      ),
    );
  });
}

/** `line_items` as a heading: Line items. */
function titleOf({ list }) {
  return list.charAt(0).toUpperCase() + list.slice(1).replace('_', ' ');
}

function numbered(group, key) {
  if (!key.startsWith(`${group.prefix}_`)) return null;
  const match = /^(\d{1,9})_(.+)$/.exec(key.slice(group.prefix.length + 1));
  return match ? { number: Number(match[1]), part: match[2] } : null;
}

function section(title, count, ...children) {
  return h(
    'section',
    { class: 'block' },
    h('h3', {}, title, count !== null && h('span', { class: 'count' }, number(count))),
    children,
  );
}

/** The merged fields, in the order of the endpoint's table, each with where it came from. */
function fieldTable(order) {
  const rank = new Map(about.fields.map(({ name }, index) => [name, index]));
  const docs = new Map(about.fields.map(({ name, doc }) => [name, doc]));
  const grouped = (key) => about.groups.some((group) => numbered(group, key));
  const keys = Object.keys(order.fields).filter((key) => !grouped(key));
  keys.sort((a, b) => (rank.get(a) ?? 1000) - (rank.get(b) ?? 1000));
  const places = positions(order);
  const source = (key) => {
    const seq = order.sources[key];
    if (seq === 0) return h('span', { class: 'faint' }, 'default');
    if (!places.has(seq)) return h('span', { class: 'faint' }, 'an earlier one');
    return h(
      'a',
      { href: `#seq-${seq}`, 'data-key': `source-${key}`, onclick: (event) => jump(event, seq) },
      `update ${places.get(seq)}`,
    );
  };
  return section(
    'Fields',
    keys.length,
    h(
      'div',
      { class: 'table-box' },
      h(
        'table',
        { class: 'fields' },
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            ['Field', 'Value', 'From'].map((title) => h('th', { scope: 'col' }, title)),
          ),
        ),
        h(
          'tbody',
          {},
          keys.map((key) =>
            h(
              'tr',
              {},
              h('th', { scope: 'row', class: 'mono', title: docs.get(key) }, key),
              h('td', { class: 'value' }, shown(order.fields[key])),
              h('td', { class: 'source' }, source(key)),
            ),
          ),
        ),
      ),
    ),
  );
}

function jump(event, seq) {
  event.preventDefault();
  const entry = byId(`seq-${seq}`);
  entry?.scrollIntoView({ block: 'start', behavior: 'smooth' });
  entry?.focus({ preventScroll: true });
}

function missing(order) {
  if (order.missing.length === 0) return null;
  return section(
    'Not yet a whole report',
    null,
    h(
      'ul',
      { class: 'problems' },
      order.missing.map((problem) => h('li', {}, icon('ignored'), h('span', {}, problem.message))),
    ),
  );
}

/** What each recorded update changed, by replaying them. */
function replay(entries) {
  const now = new Map();
  return entries.map((entry) => {
    if (entry.outcome !== 'recorded') return null;
    const ignored = new Set(entry.ignored.map(({ field }) => field));
    const changes = [];
    for (const [key, value] of Object.entries(entry.payload)) {
      if (ignored.has(key) || key === 'site_id' || key === 'order_id') continue;
      const text = shown(value);
      const before = now.get(key);
      if (before === undefined) changes.push({ key, kind: 'added', text });
      else if (before !== text) changes.push({ key, kind: 'changed', text, before });
      else changes.push({ key, kind: 'same', text });
      now.set(key, text);
    }
    return changes;
  });
}

function timeline(order, steps) {
  const cut = order.requests - order.timeline.length;
  const entries = order.timeline.map((entry, index) => ({
    entry,
    changes: steps[index],
    position: index + 1 + cut,
  }));
  return section(
    'Timeline',
    order.requests,
    cut > 0 &&
      h(
        'p',
        { class: 'faint' },
        `The newest ${plural(order.timeline.length, 'request')}; differences count from there.`,
      ),
    h(
      'ol',
      { class: 'timeline', reversed: true },
      entries.reverse().map((item) => event(item, order)),
    ),
  );
}

function event({ entry, changes, position }, order) {
  const isRecorded = entry.outcome === 'recorded';
  const title = isRecorded ? `Update ${position}` : `Request ${position}, not recorded`;
  const answered = entry.status === 0 ? 'no answer' : String(entry.status);
  return h(
    'li',
    { class: `event ${entry.outcome}`, id: `seq-${entry.seq}`, tabindex: '-1' },
    h(
      'div',
      { class: 'event-head' },
      h('strong', {}, title),
      h('span', { class: `answer a${String(entry.status)[0]}` }, answered),
      entry.fault &&
        h(
          'span',
          { class: 'note fault', title: 'A fault that was asked for' },
          icon('bolt'),
          describe(entry.fault),
        ),
      entry.order_id !== order.order_id &&
        h(
          'span',
          { class: 'note' },
          icon('merge'),
          'as ',
          h('span', { class: 'mono' }, entry.order_id),
        ),
      h(
        'time',
        { datetime: entry.received_at, title: moment(entry.received_at) },
        `${time(entry.received_at)}, `,
        since(entry.received_at),
      ),
    ),
    changes && changeList(changes),
    entry.ignored.length > 0 &&
      h(
        'ul',
        { class: 'problems' },
        entry.ignored.map(({ field, reason }) =>
          h(
            'li',
            { class: 'drop' },
            icon('ignored'),
            h('span', {}, h('code', {}, field), ` ${reason}.`),
          ),
        ),
      ),
    entry.warnings.length > 0 &&
      h(
        'ul',
        { class: 'problems' },
        entry.warnings.map((problem) =>
          h(
            'li',
            { class: problem.severity },
            icon('warning'),
            h('span', {}, `${problem.message}. `, h('code', { class: 'faint' }, problem.code)),
          ),
        ),
      ),
    raw(entry),
  );
}

function changeList(changes) {
  const told = changes.filter(({ kind }) => kind !== 'same');
  const same = changes.length - told.length;
  if (told.length === 0) {
    return h(
      'p',
      { class: 'faint' },
      changes.length === 0
        ? 'Changes nothing.'
        : `Repeats ${plural(same, 'value')} and changes nothing.`,
    );
  }
  return h(
    'ul',
    { class: 'diff' },
    told.map(({ key, kind, text, before }) =>
      h(
        'li',
        { class: kind },
        h('span', { class: 'sign', 'aria-hidden': 'true' }, kind === 'added' ? '+' : '~'),
        h('span', { class: 'offscreen' }, kind === 'added' ? 'added ' : 'changed '),
        h('span', { class: 'mono key' }, key),
        kind === 'changed' && [
          h('del', {}, before),
          h('span', { class: 'arrow', 'aria-hidden': 'true' }, '→'),
        ],
        h('ins', {}, text),
      ),
    ),
    same > 0 && h('li', { class: 'faint' }, `${plural(same, 'value')} as before`),
  );
}

function raw(entry) {
  const source = { endpoint: about.endpoint, raw: entry.raw, payload: entry.payload };
  const buttons = LANGUAGES.map(([name, write]) =>
    h(
      'button',
      {
        type: 'button',
        class: 'chip',
        'data-key': `copy-${entry.seq}-${name}`,
        title: name === 'curl' ? 'Copy as a curl command' : `Copy as a ${name} call`,
        onclick: () =>
          copy(write(source), name === 'curl' ? 'the curl command' : `the ${name} call`),
      },
      name,
    ),
  );
  return h(
    'div',
    { class: 'event-foot' },
    h(
      'div',
      { class: 'copies', role: 'group', 'aria-label': 'Copy as' },
      h('span', { class: 'faint' }, icon('copy'), 'Copy as'),
      buttons,
    ),
    h(
      'details',
      { 'data-key': `raw-${entry.seq}` },
      h(
        'summary',
        {},
        'Payload',
        h(
          'span',
          { class: 'faint' },
          ` ${number(new TextEncoder().encode(entry.raw).length)} bytes`,
        ),
      ),
      h('pre', { tabindex: '0' }, pretty(entry)),
    ),
  );
}

function pretty(entry) {
  return typeof entry.payload === 'object' ? JSON.stringify(entry.payload, null, 2) : entry.raw;
}

/** A fault's rule in a few words. */
export function describe(rule) {
  const what = [];
  if (rule.hang) what.push('hangs');
  if (rule.reset) what.push(`reset ${rule.reset} reading`);
  if (rule.redirect) what.push(`${rule.status ?? 307} to ${rule.redirect}`);
  else if (rule.rate !== undefined) what.push(`${rule.status ?? 429} above ${rule.rate}/s`);
  else if (rule.status) what.push(`answers ${rule.status}`);
  if (rule.retry_after !== undefined) what.push(`Retry-After ${rule.retry_after}`);
  if (rule.latency) what.push(`${number(rule.latency)} ms late`);
  return what.join(', ');
}
