// The panel with the details of one order: opens, refreshes and closes it.

import * as api from './api.js';
import { callouts, facts } from './details-summary.js';
import { fieldTable, missing, records } from './details-tables.js';
import { timeline } from './details-timeline.js';
import { byId, copy, h, icon } from './dom.js';
import { badge, keyOf } from './format.js';

let about = { fields: [], groups: [], statuses: [], endpoint: '' };
let current = null;
let revision = -1;
let panel;
let close;

export function start(options) {
  close = options.close;
  panel = byId('details');
  panel.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') {
      close();
      event.stopPropagation();
    }
  });
}

/** Sets the endpoint's fields, groups and statuses, as `/_sandbox/about` lists them. */
export function setAbout(given) {
  about = given;
}

/** Shows an order, or hides the panel if there is none. */
export async function show(order, takeFocus) {
  if (!order) {
    current = null;
    panel.hidden = true;
    panel.replaceChildren();
    return;
  }
  current = order;
  revision = -1;
  await refresh();
  if (takeFocus) panel.querySelector('.details-close')?.focus();
}

/** Redraws the panel if the order has changed; unfolded payloads stay unfolded. */
export async function refresh() {
  if (!current) return;
  const requested = keyOf(current);
  let order;
  try {
    order = await api.details(current);
  } catch (error) {
    if (current && keyOf(current) === requested) showMissing(error.message);
    return;
  }
  if (!current || keyOf(current) !== requested) return;
  const newest = order.timeline.at(-1)?.seq ?? 0;
  if (newest === revision) return;
  revision = newest;
  draw(order);
}

function showMissing(message) {
  panel.hidden = false;
  panel.replaceChildren(
    head(current.order_id, current.site_id, null),
    h('p', { class: 'lead pad' }, message),
  );
}

function draw(order) {
  const state = viewState();
  panel.hidden = false;
  panel.replaceChildren(
    head(order.order_id, order.site_id, order.order_status),
    h(
      'div',
      { class: 'details-body', tabindex: '0', role: 'group', 'aria-label': 'Details' },
      facts(order),
      callouts(order, about.statuses),
      records(order, about.groups),
      fieldTable(order, about),
      missing(order),
      timeline(order, about.endpoint),
    ),
  );
  restore(state);
}

/** Unfolded payloads, focus and scroll position: what a redraw must keep. */
function viewState() {
  const open = [...panel.querySelectorAll('details[open]')];
  return {
    unfolded: new Set(open.map((item) => item.dataset.key)),
    focused: panel.contains(document.activeElement) ? document.activeElement.dataset.key : null,
    top: panel.querySelector('.details-body')?.scrollTop ?? 0,
  };
}

function restore({ unfolded, focused, top }) {
  for (const item of panel.querySelectorAll('details')) item.open = unfolded.has(item.dataset.key);
  panel.querySelector('.details-body').scrollTop = top;
  if (focused)
    [...panel.querySelectorAll('[data-key]')].find((item) => item.dataset.key === focused)?.focus();
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
