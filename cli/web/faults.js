// Fault injection: the active rules, and a form for another one.

import * as api from './api.js';
import { byId, h, icon, notify } from './dom.js';
import { describeFault, number, plural } from './format.js';

const PRESETS = [
  ['503, next three', { status: 503, next: 3 }],
  ['500, one in ten', { status: 500, probability: 0.1 }],
  ['429, Retry-After 2', { status: 429, retry_after: 2, next: 1 }],
  ['200 instead of 204', { status: 200, next: 1 }],
  ['Redirect', { redirect: '/elsewhere', next: 1 }],
  ['Half a second of latency', { latency: 500 }],
  ['Hang once', { hang: true, next: 1 }],
  ['Reset before reading', { reset: 'before', next: 1 }],
  ['Reset after reading', { reset: 'after', next: 1 }],
  ['Answer lost, but recorded', { reset: 'after', apply: true, next: 1 }],
  ['Ten per second', { rate: 10, retry_after: 1 }],
];

/** The kinds of faults, each with the fields of its form. */
const KINDS = [
  ['status', 'Answer with a status', ['status', 'retry_after', 'latency', 'apply']],
  ['latency', 'Delay the answer', ['latency']],
  ['hang', 'Never answer', ['apply']],
  ['before', 'Reset, body unread', []],
  ['after', 'Reset, body read', ['latency', 'apply']],
  ['redirect', 'Redirect', ['redirect', 'latency']],
  ['rate', 'Limit the rate', ['rate', 'retry_after']],
];

let place;

export function start() {
  place = byId('view-faults');
  const presets = PRESETS.map(([name, rule]) =>
    h('button', { type: 'button', class: 'chip', onclick: () => add(rule) }, name),
  );
  place.append(
    h(
      'div',
      { class: 'view-head' },
      h(
        'div',
        {},
        h('p', { class: 'crumb' }, 'Endpoint'),
        h('h1', { id: 'faults-title' }, 'Faults'),
      ),
      h(
        'p',
        { class: 'lead' },
        'Test how a client handles failures of the endpoint. The first fault that matches a request applies.',
      ),
    ),
    h(
      'div',
      { class: 'panels' },
      h(
        'section',
        { class: 'card', 'aria-labelledby': 'active-title' },
        h('h2', { id: 'active-title' }, 'Active'),
        h('div', { id: 'active' }),
      ),
      h(
        'section',
        { class: 'card', 'aria-labelledby': 'quick-title' },
        h('h2', { id: 'quick-title' }, 'Presets'),
        h('div', { class: 'chips' }, presets),
        h('h2', {}, 'Custom'),
        form(),
      ),
    ),
  );
}

function form() {
  const input = (name, label, attributes) =>
    h(
      'label',
      { class: 'field', 'data-field': name },
      h('span', {}, label),
      h('input', { name, ...attributes }),
    );
  const count = { type: 'number', min: '0', step: '1', inputmode: 'numeric' };
  const element = h(
    'form',
    { class: 'fault-form', id: 'fault-form', autocomplete: 'off' },
    h(
      'label',
      { class: 'field wide' },
      h('span', {}, 'What happens'),
      h(
        'select',
        { name: 'kind' },
        KINDS.map(([value, title]) => h('option', { value }, title)),
      ),
    ),
    input('status', 'Status', { ...count, min: '200', max: '599', value: '503' }),
    input('redirect', 'Location', { type: 'text', value: '/elsewhere' }),
    input('rate', 'Requests per second', { ...count, value: '10' }),
    input('retry_after', 'Retry-After, seconds', count),
    input('latency', 'Latency, milliseconds', count),
    input('probability', 'Share of requests, %', {
      type: 'number',
      min: '0.1',
      max: '100',
      step: 'any',
      placeholder: '100',
    }),
    input('next', 'Only the next', { ...count, min: '1', placeholder: 'all' }),
    input('order_id', 'Only order', { type: 'text', placeholder: 'any' }),
    h(
      'label',
      { class: 'toggle wide', 'data-field': 'apply' },
      h('input', { type: 'checkbox', name: 'apply' }),
      h('span', {}, 'Record the update anyway'),
    ),
    h(
      'div',
      { class: 'form-end' },
      h('p', { id: 'fault-error', class: 'form-error', role: 'alert' }),
      h('button', { type: 'submit', class: 'button primary' }, icon('bolt'), 'Add fault'),
    ),
  );
  element.addEventListener('input', () => fit(element));
  element.addEventListener('submit', (event) => {
    event.preventDefault();
    add(read(element));
  });
  fit(element);
  return element;
}

function fit(element) {
  const kind = KINDS.find(([value]) => value === element.elements.kind.value);
  const wanted = new Set([
    ...kind[2],
    'probability',
    'next',
    ...(kind[0] === 'before' ? [] : ['order_id']),
  ]);
  for (const field of element.querySelectorAll('[data-field]'))
    field.hidden = !wanted.has(field.dataset.field);
}

function read(element) {
  const { kind } = Object.fromEntries(new FormData(element));
  const rule = {};
  if (kind === 'hang') rule.hang = true;
  if (kind === 'before' || kind === 'after') rule.reset = kind;
  for (const field of element.querySelectorAll('[data-field]:not([hidden]) input')) {
    if (field.type === 'checkbox') {
      if (field.checked) rule[field.name] = true;
    } else if (field.value !== '') {
      rule[field.name] = field.type === 'number' ? Number(field.value) : field.value;
    }
  }
  if (rule.probability !== undefined) rule.probability /= 100;
  return rule;
}

async function add(rule) {
  const error = byId('fault-error');
  error.textContent = '';
  try {
    await api.addFault(rule);
    notify(`Active: ${describeFault(rule)}`);
  } catch (problem) {
    error.textContent = problem.message;
  }
}

export async function refresh() {
  const { faults } = await api.faults();
  const live = faults.filter((fault) => fault.next !== 0);
  const badge = byId('fault-count');
  badge.hidden = live.length === 0;
  badge.textContent = number(live.length);
  const active = byId('active');
  if (faults.length === 0) {
    active.replaceChildren(h('p', { class: 'lead' }, 'None: every update is answered with 204.'));
    return;
  }
  active.replaceChildren(
    h('ul', { class: 'rules' }, faults.map(ruleLine)),
    h(
      'button',
      { type: 'button', class: 'button quiet', onclick: () => api.clearFaults() },
      'Remove all',
    ),
  );
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function ruleLine(fault) {
  const when = [];
  if (fault.probability !== undefined)
    when.push(`${number(fault.probability * 100)} % of requests`);
  if (fault.order_id !== undefined) when.push(`order ${fault.order_id}`);
  if (fault.site_id !== undefined) when.push(`site ${fault.site_id}`);
  if (fault.next !== undefined)
    when.push(fault.next === 0 ? 'used up' : `${number(fault.next)} more`);
  if (fault.apply) when.push('recorded nevertheless');
  return h(
    'li',
    { class: fault.next === 0 ? 'rule spent' : 'rule' },
    icon('bolt'),
    h(
      'div',
      { class: 'rule-text' },
      h('strong', {}, capital(describeFault(fault))),
      h('span', { class: 'faint' }, when.join(' · ') || 'every request'),
    ),
    h('span', { class: 'faint' }, plural(fault.hits, 'hit')),
    h(
      'button',
      {
        type: 'button',
        class: 'icon-button',
        'aria-label': `Remove: ${describeFault(fault)}`,
        title: 'Remove',
        onclick: () => api.removeFault(fault.id),
      },
      icon('close'),
    ),
  );
}
