// Formats values for display.

import { h } from './dom.js';

const LANGUAGE = 'en';
const numbers = new Intl.NumberFormat(LANGUAGE);
const relative = new Intl.RelativeTimeFormat(LANGUAGE, { numeric: 'always', style: 'narrow' });
const exact = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: 'medium', timeStyle: 'medium' });
const day = new Intl.DateTimeFormat(LANGUAGE, { dateStyle: 'medium' });
const clock = new Intl.DateTimeFormat(LANGUAGE, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});

export const number = (value) => numbers.format(value);
export const plural = (count, one, many = `${one}s`) =>
  `${number(count)} ${count === 1 ? one : many}`;

const STEPS = [
  [60, 'second', 1],
  [3600, 'minute', 60],
  [86400, 'hour', 3600],
  [86400 * 30, 'day', 86400],
];

/** `3 min. ago`; for older times, the date. */
export function ago(iso, now = Date.now()) {
  const time = Date.parse(iso);
  const seconds = Math.round((now - time) / 1000);
  if (seconds < 3 && seconds > -3) return 'now';
  const step = STEPS.find(([limit]) => Math.abs(seconds) < limit);
  if (!step) return day.format(time);
  return relative.format(-Math.trunc(seconds / step[2]), step[1]);
}

/** A relative time that `keepTime` updates. */
export const since = (iso) => h('span', { 'data-ago': iso }, ago(iso));

export function keepTime() {
  for (const item of document.querySelectorAll('[data-ago]')) {
    item.textContent = ago(item.dataset.ago);
  }
}

export const moment = (iso) => exact.format(Date.parse(iso));
export const time = (iso) => clock.format(Date.parse(iso));

const short = new Intl.DateTimeFormat(LANGUAGE, {
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
});

/** An `order_time` in the browser's time zone, without the current year; an invalid one unchanged. */
export function placed(text) {
  const time = Date.parse(text?.replace(' ', 'T') ?? '');
  if (Number.isNaN(time)) return text ?? '–';
  const isThisYear = new Date(time).getFullYear() === new Date().getFullYear();
  return isThisYear ? short.format(time) : day.format(time);
}

/** An amount with its currency; an invalid amount unchanged. */
export function money(amount, currency) {
  if (amount === null || amount === undefined || amount === '') return '–';
  const value = Number(amount);
  if (!Number.isFinite(value) || !/^[A-Z]{3}$/.test(currency ?? '')) {
    return `${amount} ${currency ?? ''}`.trim();
  }
  return new Intl.NumberFormat(LANGUAGE, {
    style: 'currency',
    currency,
    currencyDisplay: 'narrowSymbol',
  }).format(value);
}

const KNOWN = new Set(['pending', 'paid', 'refunded', 'cancelled']);

export function badge(status) {
  if (!status) return h('span', { class: 'badge none' }, 'no status');
  const kind = KNOWN.has(status) ? status : 'other';
  return h('span', { class: `badge ${kind}`, title: status }, status);
}

export const shown = (value) => (typeof value === 'string' ? value : JSON.stringify(value));

/** The key of an order in a map; ids cannot contain the separator, a control character. */
export const keyOf = (order) => `${order.site_id}\u001f${order.order_id}`;

/** A fault's rule in a few words. */
export function describeFault(rule) {
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
