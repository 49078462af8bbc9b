// The list of requests, including those that were not recorded as updates.

import * as api from './api.js';
import { byId, h, icon } from './dom.js';
import { describeFault, moment, number, plural, since, time } from './format.js';

const NEWEST = 200;
let place;
let open;
let cursor = -1;
let unfolded = new Set();

export function start(options) {
  open = options.open;
  place = byId('view-requests');
  place.append(
    h(
      'div',
      { class: 'view-head' },
      h(
        'div',
        {},
        h('p', { class: 'crumb' }, 'Reports'),
        h('h1', { id: 'requests-title' }, 'Requests'),
      ),
      h(
        'p',
        { class: 'lead' },
        `The newest ${NEWEST} requests, including refused ones and those with a fault.`,
      ),
    ),
    h('div', {
      class: 'table-box tall',
      id: 'requests',
      tabindex: '0',
      role: 'group',
      'aria-label': 'The newest requests',
    }),
  );
}

export async function refresh() {
  const { updates, cursor: newest } = await api.requests(NEWEST);
  if (cursor === newest && updates.length > 0) return;
  cursor = newest;
  const box = byId('requests');
  unfolded = new Set([...box.querySelectorAll('details[open]')].map((item) => item.dataset.key));
  if (updates.length === 0) {
    box.replaceChildren(h('p', { class: 'lead pad' }, 'No request has arrived yet.'));
    return;
  }
  const titles = ['#', 'Received', 'Answer', 'Order', 'Site', 'Outcome'];
  box.replaceChildren(
    h(
      'table',
      { class: 'requests' },
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          titles.map((title) => h('th', { scope: 'col' }, title)),
        ),
      ),
      h('tbody', {}, updates.reverse().map(line)),
    ),
  );
}

function line(entry) {
  const order = { order_id: entry.order_id, site_id: entry.site_id };
  const link = () =>
    h('button', { type: 'button', class: 'link mono', onclick: () => open(order) }, entry.order_id);
  const answered = entry.status === 0 ? 'none' : String(entry.status);
  return h(
    'tr',
    { class: entry.outcome },
    h('td', { class: 'faint' }, number(entry.seq)),
    h(
      'td',
      {},
      h(
        'time',
        { datetime: entry.received_at, title: moment(entry.received_at) },
        time(entry.received_at),
        h('span', { class: 'faint' }, ' ', since(entry.received_at)),
      ),
    ),
    h('td', {}, h('span', { class: `answer a${String(entry.status)[0]}` }, answered)),
    h(
      'td',
      {},
      entry.order_id === null
        ? '–'
        : entry.outcome === 'recorded'
          ? link()
          : h('span', { class: 'mono' }, entry.order_id),
    ),
    h('td', {}, entry.site_id ?? '–'),
    h('td', { class: 'value' }, outcome(entry)),
  );
}

function outcome(entry) {
  const parts = [];
  if (entry.outcome === 'refused') {
    parts.push(
      h('span', { class: 'note warn' }, icon('warning'), 'Refused'),
      h('span', {}, entry.refusal),
    );
    parts.push(
      h(
        'details',
        { 'data-key': entry.seq, open: unfolded.has(String(entry.seq)) },
        h('summary', {}, 'Body'),
        h('pre', { tabindex: '0' }, entry.raw),
      ),
    );
  } else if (entry.outcome === 'faulted') {
    parts.push(
      h(
        'span',
        { class: 'note fault' },
        icon('bolt'),
        `Fault, not recorded: ${describeFault(entry.fault)}`,
      ),
    );
  } else {
    parts.push(
      entry.fault
        ? h(
            'span',
            { class: 'note fault' },
            icon('bolt'),
            `Recorded, ${describeFault(entry.fault)}`,
          )
        : h('span', {}, 'Recorded'),
    );
    if (entry.warnings.length > 0)
      parts.push(
        h(
          'span',
          { class: 'note warn' },
          icon('warning'),
          plural(entry.warnings.length, 'warning'),
        ),
      );
    if (entry.ignored.length > 0)
      parts.push(
        h(
          'span',
          { class: 'note drop' },
          icon('ignored'),
          `${number(entry.ignored.length)} ignored`,
        ),
      );
  }
  return h('div', { class: 'became' }, parts);
}
