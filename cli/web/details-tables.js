// The tables of an order: discounts, line items, all other fields, and what a complete report still
// requires.

import { positions, section, updateLink } from './details-parts.js';
import { h, icon } from './dom.js';
import { money, number, shown } from './format.js';

/** Discounts and line items; `groups` are the endpoint's numbered fields. */
export function records(order, groups) {
  return groups.map((group) => {
    const rows = rowsOf(order, group);
    return rows.size === 0 ? null : recordTable(order, group, rows);
  });
}

/** The values of each record by its number. */
function rowsOf(order, group) {
  const rows = new Map();
  for (const [key, value] of Object.entries(order.fields)) {
    const found = numbered(group, key);
    if (!found) continue;
    if (!rows.has(found.number)) rows.set(found.number, {});
    rows.get(found.number)[found.part] = value;
  }
  return rows;
}

/** The number and the part of a key such as `line_item_1_sku`; null for any other key. */
function numbered(group, key) {
  if (!key.startsWith(`${group.prefix}_`)) return null;
  const match = /^(\d{1,9})_(.+)$/.exec(key.slice(group.prefix.length + 1));
  return match ? { number: Number(match[1]), part: match[2] } : null;
}

function recordTable(order, group, rows) {
  const documented = group.fields.map(({ name }) => name);
  const given = [...rows.values()].flatMap((row) => Object.keys(row));
  const columns = [...new Set([...documented, ...given])].filter((part) => given.includes(part));
  const sorted = [...rows].sort(([a], [b]) => a - b);
  return section(
    titleOf(group),
    rows.size,
    h(
      'div',
      { class: 'table-box', tabindex: '0', role: 'group', 'aria-label': titleOf(group) },
      h(
        'table',
        {},
        h('thead', {}, recordHead(columns)),
        h(
          'tbody',
          {},
          sorted.map(([index, row]) => recordRow(order, columns, index, row)),
        ),
      ),
    ),
  );
}

/** `line_items` as a heading: Line items. */
function titleOf({ list }) {
  return list.charAt(0).toUpperCase() + list.slice(1).replace('_', ' ');
}

const isMoney = (part) => part === 'price' || part === 'amount';
const isNumber = (part) => isMoney(part) || part === 'qty';
const isCode = (part) => part === 'sku' || part === 'code';

function recordHead(columns) {
  return h(
    'tr',
    {},
    h('th', { scope: 'col', class: 'narrow' }, '#'),
    columns.map((part) => h('th', { scope: 'col', class: isNumber(part) ? 'right' : '' }, part)),
  );
}

function recordRow(order, columns, index, row) {
  const text = (part) => {
    if (!(part in row)) return '–';
    return isMoney(part) ? money(shown(row[part]), order.currency) : shown(row[part]);
  };
  const style = (part) => (isNumber(part) ? 'right' : isCode(part) ? 'mono' : '');
  return h(
    'tr',
    {},
    h('td', { class: 'faint' }, number(index)),
    columns.map((part) => h('td', { class: style(part) }, text(part))),
  );
}

/** The merged fields, in the order of the endpoint's table, each with the update that set it. */
export function fieldTable(order, { fields, groups }) {
  const rank = new Map(fields.map(({ name }, index) => [name, index]));
  const docs = new Map(fields.map(({ name, doc }) => [name, doc]));
  const isGrouped = (key) => groups.some((group) => numbered(group, key));
  const keys = Object.keys(order.fields).filter((key) => !isGrouped(key));
  keys.sort((a, b) => (rank.get(a) ?? 1000) - (rank.get(b) ?? 1000));
  const places = positions(order);
  const titles = ['Field', 'Value', 'From'].map((title) => h('th', { scope: 'col' }, title));
  const rows = keys.map((key) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row', class: 'mono', title: docs.get(key) }, key),
      h('td', { class: 'value' }, shown(order.fields[key])),
      h('td', { class: 'source' }, source(order, places, key)),
    ),
  );
  return section(
    'Fields',
    keys.length,
    h(
      'div',
      { class: 'table-box' },
      h('table', { class: 'fields' }, h('thead', {}, h('tr', {}, titles)), h('tbody', {}, rows)),
    ),
  );
}

function source(order, places, key) {
  const seq = order.sources[key];
  if (seq === 0) return h('span', { class: 'faint' }, 'default');
  if (!places.has(seq)) return h('span', { class: 'faint' }, 'an earlier one');
  return updateLink(seq, `source-${key}`, `update ${places.get(seq)}`);
}

/** What `report_order` would still require of the order. */
export function missing(order) {
  if (order.missing.length === 0) return null;
  return section(
    'Not yet a complete report',
    null,
    h(
      'ul',
      { class: 'problems' },
      order.missing.map((problem) => h('li', {}, icon('ignored'), h('span', {}, problem.message))),
    ),
  );
}
