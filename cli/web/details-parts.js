// Shared parts of an order's details: sections, and links to updates.

import { byId, h } from './dom.js';
import { number } from './format.js';

/** A titled block; `count` is shown after the title unless it is null. */
export function section(title, count, ...children) {
  return h(
    'section',
    { class: 'block' },
    h('h3', {}, title, count !== null && h('span', { class: 'count' }, number(count))),
    children,
  );
}

/** The position of each request among all requests of the order, by its sequence number. */
export function positions(order) {
  const omitted = order.requests - order.timeline.length;
  return new Map(order.timeline.map((entry, index) => [entry.seq, index + 1 + omitted]));
}

/** A link to an update's entry in the timeline. `key` keeps the focus when the page is redrawn. */
export function updateLink(seq, key, text) {
  const onclick = (event) => {
    event.preventDefault();
    const entry = byId(entryId(seq));
    entry?.scrollIntoView({ block: 'start', behavior: 'smooth' });
    entry?.focus({ preventScroll: true });
  };
  return h('a', { href: `#${entryId(seq)}`, 'data-key': key, onclick }, text);
}

/** The element id of an entry in the timeline. */
export const entryId = (seq) => `seq-${seq}`;
