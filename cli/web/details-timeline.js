// The timeline of an order: each request with its changes, newest first.

import { entryId, positions, section } from './details-parts.js';
import { copy, h, icon } from './dom.js';
import { describeFault, moment, number, plural, shown, since, time } from './format.js';
import { LANGUAGES } from './snippets.js';

/** The newest requests of an order; `endpoint` is the URL in copied commands. */
export function timeline(order, endpoint) {
  const places = positions(order);
  const changes = replay(order.timeline);
  const entries = order.timeline.map((entry, index) => {
    const details = { changes: changes[index], position: places.get(entry.seq), endpoint };
    return entryItem(entry, order, details);
  });
  return section(
    'Timeline',
    order.requests,
    order.requests > order.timeline.length &&
      h(
        'p',
        { class: 'faint' },
        `The newest ${plural(order.timeline.length, 'request')}; differences are relative to the oldest of them.`,
      ),
    h('ol', { class: 'timeline', reversed: true }, entries.reverse()),
  );
}

/** The changes of each recorded update, computed by replaying them; null for other requests. */
function replay(entries) {
  const current = new Map();
  return entries.map((entry) => {
    if (entry.outcome !== 'recorded') return null;
    const ignored = new Set(entry.ignored.map(({ field }) => field));
    const changes = [];
    for (const [key, value] of Object.entries(entry.payload)) {
      if (ignored.has(key) || key === 'site_id' || key === 'order_id') continue;
      const text = shown(value);
      const before = current.get(key);
      if (before === undefined) changes.push({ key, kind: 'added', text });
      else if (before !== text) changes.push({ key, kind: 'changed', text, before });
      else changes.push({ key, kind: 'same', text });
      current.set(key, text);
    }
    return changes;
  });
}

function entryItem(entry, order, { changes, position, endpoint }) {
  return h(
    'li',
    { class: `event ${entry.outcome}`, id: entryId(entry.seq), tabindex: '-1' },
    entryHead(entry, order, position),
    changes && changeList(changes),
    ignoredList(entry.ignored),
    warningList(entry.warnings),
    entryFoot(entry, endpoint),
  );
}

function entryHead(entry, order, position) {
  const isRecorded = entry.outcome === 'recorded';
  const title = isRecorded ? `Update ${position}` : `Request ${position}, not recorded`;
  const answered = entry.status === 0 ? 'no answer' : String(entry.status);
  return h(
    'div',
    { class: 'event-head' },
    h('strong', {}, title),
    h('span', { class: `answer a${String(entry.status)[0]}` }, answered),
    entry.fault &&
      h(
        'span',
        { class: 'note fault', title: 'An injected fault' },
        icon('bolt'),
        describeFault(entry.fault),
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
  );
}

function ignoredList(ignored) {
  if (ignored.length === 0) return null;
  const items = ignored.map(({ field, reason }) =>
    h('li', { class: 'drop' }, icon('ignored'), h('span', {}, h('code', {}, field), ` ${reason}.`)),
  );
  return h('ul', { class: 'problems' }, items);
}

function warningList(warnings) {
  if (warnings.length === 0) return null;
  const items = warnings.map((problem) =>
    h(
      'li',
      { class: problem.severity },
      icon('warning'),
      h('span', {}, `${problem.message}. `, h('code', { class: 'faint' }, problem.code)),
    ),
  );
  return h('ul', { class: 'problems' }, items);
}

function changeList(changes) {
  const different = changes.filter(({ kind }) => kind !== 'same');
  const same = changes.length - different.length;
  if (different.length === 0) {
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
    different.map(changeItem),
    same > 0 && h('li', { class: 'faint' }, `${plural(same, 'value')} as before`),
  );
}

function changeItem({ key, kind, text, before }) {
  return h(
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
  );
}

/** Buttons that copy the update as a command or a call, and its payload. */
function entryFoot(entry, endpoint) {
  const source = { endpoint, raw: entry.raw, payload: entry.payload };
  const buttons = LANGUAGES.map(([name, write]) => copyButton(entry, name, () => write(source)));
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

function copyButton(entry, name, write) {
  const isCurl = name === 'curl';
  return h(
    'button',
    {
      type: 'button',
      class: 'chip',
      'data-key': `copy-${entry.seq}-${name}`,
      title: isCurl ? 'Copy as a curl command' : `Copy as a ${name} call`,
      onclick: () => copy(write(), isCurl ? 'the curl command' : `the ${name} call`),
    },
    name,
  );
}

function pretty(entry) {
  return typeof entry.payload === 'object' ? JSON.stringify(entry.payload, null, 2) : entry.raw;
}
