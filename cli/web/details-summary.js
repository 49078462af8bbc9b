// The summary of an order: its facts, the meaning of its state, and values to check.

import { positions, updateLink } from './details-parts.js';
import { h, icon } from './dom.js';
import { moment, money, placed, plural, shown, since } from './format.js';

const MAX_REMARKS = 6;

/** Amount, customer and times. */
export function facts(order) {
  const fact = (name, ...value) =>
    h('div', { class: 'fact' }, h('dt', {}, name), h('dd', {}, value));
  return h(
    'dl',
    { class: 'facts' },
    fact('Amount', h('span', { class: 'big' }, money(order.sale_amount, order.currency))),
    fact('Customer', customer(order)),
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

function customer(order) {
  const count = order.fields.order_count;
  if (order.returning_customer) return [icon('returning'), `Returning, ${shown(count)} orders`];
  return count === undefined ? 'Unknown' : 'New, first order';
}

/** The meaning of the order's state and its remarks; `statuses` are the documented ones. */
export function callouts(order, statuses) {
  return h(
    'div',
    { class: 'callouts' },
    mergedNote(order),
    statusNote(order.order_status, statuses),
    returningNote(order),
    remarks(order),
  );
}

function note(kind, mark, title, text) {
  return h(
    'div',
    { class: `callout ${kind}` },
    icon(mark),
    h('div', {}, h('strong', {}, title), h('p', {}, text)),
  );
}

function mergedNote({ merged_from: ids }) {
  if (ids.length === 0) return null;
  const names = ids.flatMap((id, index) => [index > 0 && ', ', h('span', { class: 'mono' }, id)]);
  return note(
    'plain',
    'merge',
    ['One order with ', names],
    'An order_alias merged them: updates to any of these ids are shown here. At Katalys, this can change the order id, and it cannot be undone.',
  );
}

function statusNote(status, statuses) {
  if (!status) return null;
  const documented = statuses.find(({ name }) => name === status);
  if (status === 'refunded' || status === 'cancelled') {
    return note(
      'stop',
      'warning',
      `This order is ${status}`,
      `${documented?.doc ?? ''} This applies if the Offer is configured for it and the report arrived in time.`,
    );
  }
  if (documented) {
    return note(
      'plain',
      'check',
      `This order counts as ${status}`,
      status === 'pending'
        ? 'Report “paid” once the payment is received. Reporting “cancelled” instead keeps it from being attributed to an affiliate.'
        : 'Reporting “refunded” or “cancelled” next keeps it from being attributed to an affiliate, if the Offer is configured for that and the report arrives in time.',
    );
  }
  return note(
    'plain',
    'warning',
    'A status of the shop’s own',
    'The documented ones are pending, paid, refunded and cancelled. Only refunded and cancelled keep an order from being attributed.',
  );
}

function returningNote(order) {
  if (!order.returning_customer) return null;
  return note(
    'plain',
    'returning',
    'A returning customer',
    'order_count is above 1, so Triggers for returning customers can match, if the Offer is configured for that.',
  );
}

/** Every ignored value and every warning, once each, with the last update that had it. */
function remarks(order) {
  const found = new Map();
  for (const entry of order.timeline.filter(({ outcome }) => outcome === 'recorded')) {
    for (const { field, reason } of entry.ignored) found.set(`${field} ${reason}`, entry.seq);
    for (const { message } of entry.warnings) found.set(message, entry.seq);
  }
  if (found.size === 0) return null;
  const places = positions(order);
  const lines = [...found]
    .slice(0, MAX_REMARKS)
    .map(([text, seq]) =>
      h('li', {}, `${text}. `, updateLink(seq, `remark-${text}`, `Update ${places.get(seq)}`)),
    );
  const more = found.size - lines.length;
  return h(
    'div',
    { class: 'callout warn' },
    icon('warning'),
    h(
      'div',
      {},
      h('strong', {}, plural(found.size, 'thing'), ' to check'),
      h('ul', {}, lines, more > 0 && h('li', {}, `And ${plural(more, 'other')} in the timeline.`)),
    ),
  );
}
