// Connects the views: navigation, live updates and global keys.

import * as api from './api.js';
import * as details from './details.js';
import { byId, copy, h, notify } from './dom.js';
import * as faults from './faults.js';
import { keepTime, number } from './format.js';
import * as orders from './orders.js';
import * as requests from './requests.js';

const VIEWS = ['orders', 'requests', 'faults'];
const TITLES = { orders: 'Conversions', requests: 'Requests', faults: 'Faults' };
/** Minimum time between two refreshes, in milliseconds. */
const MIN_INTERVAL = 200;

let view = 'orders';
let running = false;
let isPending = false;

/** Refreshes the visible view; calls during a refresh are answered by one more round. */
async function refresh() {
  if (running) {
    isPending = true;
    return;
  }
  running = true;
  do {
    isPending = false;
    const started = performance.now();
    try {
      await Promise.all([
        view === 'orders' && orders.refresh(),
        view === 'orders' && details.refresh(),
        view === 'requests' && requests.refresh(),
        faults.refresh(),
      ]);
    } catch {
      // The sandbox is not reachable; the event source shows that, and reconnects by itself.
    }
    const rest = MIN_INTERVAL - (performance.now() - started);
    if (rest > 0) await new Promise((done) => setTimeout(done, rest));
  } while (isPending);
  running = false;
}

function openOrder(order, byKeyboard = false) {
  if (order && view !== 'orders') show('orders');
  byId('split').classList.toggle('open', order !== null);
  details.show(order, byKeyboard);
  orders.setOpened(order);
}

function closeOrder() {
  openOrder(null);
  byId('orders').focus();
}

function show(wanted) {
  view = VIEWS.includes(wanted) ? wanted : 'orders';
  for (const name of VIEWS) byId(`view-${name}`).hidden = name !== view;
  for (const link of document.querySelectorAll('.tabs a')) {
    if (link.dataset.view === view) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  document.title = `${TITLES[view]} · Katalys sandbox`;
  refresh();
}

function fromAddress() {
  const wanted = new URLSearchParams(location.hash.slice(1)).get('view');
  if (wanted) show(wanted);
}

function onKey(event) {
  const isTyping = event.target.closest('input, select, textarea');
  if (event.key === '/' && !isTyping) {
    if (view !== 'orders') show('orders');
    byId('filter-order').focus();
    byId('filter-order').select();
    event.preventDefault();
  } else if (event.key === 'Escape' && !byId('details').hidden) {
    closeOrder();
  } else if (event.key === 'ArrowDown' && event.target.id === 'filter-order') {
    byId('orders').focus();
    event.preventDefault();
  }
}

function showTotals(counters) {
  const total = (name, value, kind) =>
    h('div', { class: kind }, h('dt', {}, name), h('dd', {}, number(value)));
  byId('totals').replaceChildren(
    total('Orders', counters.orders),
    total('Updates', counters.updates),
    total('Refused', counters.refused, counters.refused > 0 ? 'bad' : ''),
    total('Faults applied', counters.faulted, counters.faulted > 0 ? 'bad' : ''),
  );
}

function showConnection(isConnected) {
  byId('live').classList.toggle('lost', !isConnected);
  byId('live-text').textContent = isConnected ? 'Live' : 'Not connected';
}

orders.start({ open: openOrder });
details.start({ close: closeOrder });
requests.start({ open: openOrder });
faults.start();
addEventListener('unhandledrejection', (event) => {
  notify(event.reason?.message ?? 'Something went wrong');
  event.preventDefault();
});
addEventListener('hashchange', fromAddress);
addEventListener('keydown', onKey);
setInterval(keepTime, 5000);

api.about().then((given) => {
  details.setAbout(given);
  byId('endpoint-url').textContent = given.endpoint;
  byId('endpoint').addEventListener('click', () => copy(given.endpoint, 'the endpoint'));
});
fromAddress();
refresh();
api.watch((counters) => {
  showTotals(counters);
  refresh();
}, showConnection);
