// The list of orders. Only the visible rows are in the document.

import * as api from './api.js';
import { byId, h, icon, notify } from './dom.js';
import { showEmpty } from './empty.js';
import { ago, badge, keyOf, moment, money, number, placed, plural } from './format.js';

const ROW = 46;
const HEAD = 38;
const PAGE = 100;
/** Rows drawn above and below the visible ones. */
const MARGIN = 8;

const COLUMNS = [
  ['', 'open'],
  ['Order ID', 'id'],
  ['Status', 'status'],
  ['Amount', 'amount'],
  ['Site', 'site'],
  ['Placed', 'placed'],
  ['Updates', 'updates'],
  ['Notes', 'notes'],
  ['Last', 'last'],
];

const state = {
  total: 0,
  all: 0,
  pages: new Map(),
  asked: 0,
  answered: 0,
  active: 0,
  seen: 0,
  opened: null,
  rows: new Map(),
  waiting: new Set(),
};
let grid;
let body;
let open;

export function start(options) {
  open = options.open;
  grid = byId('orders');
  const head = COLUMNS.map(([title, name]) =>
    h(
      'div',
      { role: 'columnheader', class: `cell ${name}` },
      title || h('span', { class: 'offscreen' }, 'Details'),
    ),
  );
  body = h('div', { role: 'rowgroup', class: 'grid-body' });
  grid.append(
    h(
      'div',
      { role: 'rowgroup', class: 'grid-head' },
      h('div', { role: 'row', 'aria-rowindex': '1', class: 'row head' }, head),
    ),
    body,
  );
  grid.addEventListener('scroll', () => requestAnimationFrame(draw), { passive: true });
  grid.addEventListener('keydown', onKey);
  grid.addEventListener('click', onClick);
  new ResizeObserver(draw).observe(grid);
  setInterval(draw, 5000);
  const filters = byId('filters');
  filters.addEventListener('input', onFilter);
  filters.addEventListener('submit', (event) => event.preventDefault());
  filters.addEventListener('reset', () => setTimeout(onFilter));
  byId('clear').addEventListener('click', clearAll);
}

async function clearAll(event) {
  const button = event.currentTarget;
  if (!button.classList.contains('sure')) {
    button.classList.add('sure');
    button.textContent = 'Really clear?';
    setTimeout(() => {
      button.classList.remove('sure');
      button.textContent = 'Clear everything';
    }, 3000);
    return;
  }
  await api.clear();
  open(null);
  notify('Cleared orders, requests and faults');
}

/** The filters as query parameters; days are in the browser's time zone. */
export function query() {
  const data = new FormData(byId('filters'));
  const day = (name, extra) => {
    const text = data.get(name);
    if (!text) return '';
    const [year, month, date] = text.split('-').map(Number);
    return new Date(year, month - 1, date + extra).toISOString();
  };
  return {
    order_id: data.get('order_id'),
    status: data.get('status'),
    site_id: data.get('site_id'),
    from: day('from', 0),
    to: day('to', 1),
    warnings: data.get('warnings') ?? '',
  };
}

export function isFiltered() {
  return Object.values(query()).some((value) => value !== '');
}

function onFilter() {
  byId('filter-reset').hidden = !isFiltered();
  grid.scrollTop = 0;
  state.active = 0;
  refresh();
}

/** Loads the visible rows again; the old ones stay until the response arrives. */
export async function refresh() {
  state.asked += 1;
  const { asked } = state;
  const wanted = JSON.stringify(query());
  const [first, last] = visiblePages();
  const pages = Array.from({ length: last - first + 1 }, (_, index) => load(first + index));
  const loaded = await Promise.all(pages);
  // The response is outdated if the filters have changed, or if a later response was faster.
  if (wanted !== JSON.stringify(query()) || asked < state.answered) return;
  state.answered = asked;
  state.pages = new Map(loaded.map((answer, index) => [first + index, answer.orders]));
  settle(loaded[0]);
}

function load(page) {
  return api.orders({ ...query(), offset: page * PAGE, limit: PAGE });
}

function settle(answer) {
  state.total = answer.total;
  state.all = answer.all_orders;
  state.active = Math.max(0, Math.min(state.active, state.total - 1));
  setChoices('status', 'Any status', answer.statuses);
  setChoices('site_id', 'Any site', answer.sites);
  const isEmpty = state.all === 0;
  grid.hidden = isEmpty;
  byId('hints').hidden = isEmpty;
  showEmpty(isEmpty);
  grid.setAttribute('aria-rowcount', String(state.total + 1));
  byId('shown').textContent = isFiltered()
    ? `${number(state.total)} of ${plural(state.all, 'order')}`
    : plural(state.all, 'order');
  body.style.height = `${Math.max(state.total, 1) * ROW}px`;
  draw();
  state.seen = answer.cursor;
  if (!document.documentElement.dataset.drawn) performance.mark('rows');
  document.documentElement.dataset.drawn = String(answer.revision);
}

/** Updates the choices of a filter, without changing an open one. */
function setChoices(name, any, counts) {
  const select = byId('filters').elements[name];
  const wanted = Object.entries(counts).filter(([value]) => value !== '');
  wanted.sort(([, a], [, b]) => b - a);
  if (select.value && !(select.value in counts)) wanted.push([select.value, 0]);
  const values = wanted
    .slice(0, 200)
    .map(([value]) => value)
    .sort();
  const current = [...select.options].slice(1).map((option) => option.value);
  if (values.join('\n') === current.join('\n')) return;
  const chosen = select.value;
  select.replaceChildren(
    h('option', { value: '' }, any),
    ...values.map((value) => h('option', { value }, value)),
  );
  select.value = chosen;
}

function visibleRows() {
  const first = Math.floor(grid.scrollTop / ROW) - MARGIN;
  const last = Math.ceil((grid.scrollTop + (grid.clientHeight || 600)) / ROW) + MARGIN;
  return [Math.max(0, first), Math.max(0, Math.min(last, Math.max(state.total, PAGE)) - 1)];
}

function visiblePages() {
  const [first, last] = visibleRows();
  return [Math.floor(first / PAGE), Math.floor(last / PAGE)];
}

const orderAt = (index) => state.pages.get(Math.floor(index / PAGE))?.[index % PAGE];

function draw() {
  if (grid.hidden) return;
  const [first, last] = visibleRows();
  const end = Math.min(last, state.total - 1);
  for (const [index, row] of state.rows) {
    if (index < first || index > end) {
      row.remove();
      state.rows.delete(index);
    }
  }
  for (let index = first; index <= end; index += 1) drawRow(index);
  body.classList.toggle('none', state.total === 0);
  markActive();
}

function drawRow(index) {
  const order = orderAt(index);
  if (!order) fetchPage(Math.floor(index / PAGE));
  const now = Date.now();
  const stamp = order
    ? `${keyOf(order)}\n${order.revision}\n${ago(order.last_received_at, now)}\n${state.opened === keyOf(order)}`
    : 'waiting';
  let row = state.rows.get(index);
  if (row?.stamp === stamp) return;
  const isFresh = order && state.seen > 0 && order.revision > state.seen;
  const made = order
    ? orderRow(order, now)
    : h(
        'div',
        { role: 'row', class: 'row waiting' },
        h('div', { role: 'gridcell', class: 'cell' }, '…'),
      );
  made.stamp = stamp;
  made.id = `row-${index}`;
  made.setAttribute('aria-rowindex', String(index + 2));
  made.style.transform = `translateY(${index * ROW}px)`;
  if (isFresh) made.classList.add('fresh');
  if (row) row.replaceWith(made);
  else body.append(made);
  row = made;
  state.rows.set(index, row);
}

function orderRow(order, now) {
  const cell = (name, ...children) =>
    h('div', { role: 'gridcell', class: `cell ${name}` }, children);
  const isOpen = state.opened === keyOf(order);
  const button = h(
    'button',
    {
      type: 'button',
      class: 'icon-button',
      tabindex: '-1',
      'aria-label': `Details of order ${order.order_id}`,
      title: 'Details',
    },
    icon('open'),
  );
  const notes = [
    order.warnings > 0 &&
      h(
        'span',
        { class: 'note warn', title: plural(order.warnings, 'warning') },
        icon('warning'),
        number(order.warnings),
        h('span', { class: 'offscreen' }, ' warnings'),
      ),
    order.ignored > 0 &&
      h(
        'span',
        { class: 'note drop', title: `${plural(order.ignored, 'value')} ignored` },
        icon('ignored'),
        number(order.ignored),
        h('span', { class: 'offscreen' }, ' ignored'),
      ),
    order.returning_customer &&
      h(
        'span',
        { class: 'note back', title: 'Returning customer' },
        icon('returning'),
        h('span', { class: 'offscreen' }, 'returning customer'),
      ),
  ];
  return h(
    'div',
    { role: 'row', class: isOpen ? 'row open' : 'row', 'aria-selected': isOpen ? 'true' : 'false' },
    cell('open', button),
    cell('id', h('span', { class: 'mono clip', title: order.order_id }, order.order_id)),
    cell('status', badge(order.order_status)),
    cell('amount', money(order.sale_amount, order.currency)),
    cell('site', h('span', { class: 'clip', title: order.site_id }, order.site_id)),
    cell('placed', h('span', { title: order.order_time }, placed(order.order_time))),
    cell('updates', number(order.updates)),
    cell('notes', notes),
    cell(
      'last',
      h(
        'time',
        { datetime: order.last_received_at, title: moment(order.last_received_at) },
        ago(order.last_received_at, now),
      ),
    ),
  );
}

async function fetchPage(page) {
  if (state.waiting.has(page)) return;
  state.waiting.add(page);
  const { answered } = state;
  try {
    const answer = await load(page);
    if (answered !== state.answered) return;
    state.pages.set(page, answer.orders);
  } finally {
    state.waiting.delete(page);
  }
  draw();
}

function markActive() {
  for (const [index, row] of state.rows) row.classList.toggle('active', index === state.active);
  if (state.rows.has(state.active))
    grid.setAttribute('aria-activedescendant', `row-${state.active}`);
  else grid.removeAttribute('aria-activedescendant');
}

function moveTo(index) {
  state.active = Math.max(0, Math.min(index, state.total - 1));
  const top = state.active * ROW;
  const visible = grid.clientHeight - HEAD - ROW;
  if (top < grid.scrollTop) grid.scrollTop = top;
  else if (top > grid.scrollTop + visible) grid.scrollTop = top - visible;
  draw();
}

function onKey(event) {
  const pageSize = Math.max(1, Math.floor((grid.clientHeight - HEAD) / ROW) - 1);
  const moves = {
    ArrowDown: state.active + 1,
    ArrowUp: state.active - 1,
    PageDown: state.active + pageSize,
    PageUp: state.active - pageSize,
    Home: 0,
    End: state.total - 1,
  };
  if (event.key in moves) moveTo(moves[event.key]);
  else if (event.key === 'Enter' || event.key === ' ') openRow(state.active, true);
  else return;
  event.preventDefault();
}

function onClick(event) {
  const row = event.target.closest('.row');
  if (!row || !body.contains(row)) return;
  const index = Number(row.getAttribute('aria-rowindex')) - 2;
  state.active = index;
  openRow(index, false);
}

function openRow(index, byKeyboard) {
  const order = orderAt(index);
  if (order) open(order, byKeyboard);
}

/** Marks the order whose details are open. */
export function setOpened(order) {
  state.opened = order ? keyOf(order) : null;
  draw();
}
