// The empty state of the list: how to send the first update.

import * as api from './api.js';
import { byId, copy, h, icon, notify } from './dom.js';

const endpoint = `${location.origin}/v2/_tr_offline`;

const SAMPLE = {
  site_id: 'abcd.com',
  order_status: 'paid',
  sale_amount: '25.67',
  subtotal_amount: '19.20',
  shipping_amount: '4.99',
  tax_amount: '1.48',
  email_address: 'email@example.com',
  order_count: 2,
  discount_1_code: 'REVOFFERS_EXAMPLE',
  discount_1_amount: '1.50',
  line_item_1_title: 'Wellness Bundle #4',
  line_item_1_sku: 'WLNS_BUNDLE_4',
  line_item_1_price: '19.20',
  line_item_1_qty: 1,
};

async function sendSample() {
  const order_id = String(10_000 + Math.floor(Math.random() * 90_000));
  const order_time = new Date()
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z/, '+00:00');
  const status = await api.send({ ...SAMPLE, order_id, order_time });
  notify(status === 204 ? `Sent order ${order_id}` : `Answered ${status}`);
}

/** Shows or hides the instructions. */
export function showEmpty(isEmpty) {
  const place = byId('empty');
  if (place.hidden === !isEmpty && (place.firstChild || !isEmpty)) return;
  place.hidden = !isEmpty;
  if (!isEmpty) {
    place.replaceChildren();
    return;
  }
  const variable = `export KATALYS_ENDPOINT=${endpoint}`;
  const curl = `curl -i ${endpoint} \\\n  -H 'Content-Type: application/json' \\\n  -d '{"site_id":"abcd.com","order_id":"1001","order_status":"paid"}'`;
  place.replaceChildren(
    h('img', { src: '/assets/icon.svg', alt: '', width: '44', height: '44' }),
    h('h2', {}, 'Waiting for the first update'),
    h(
      'p',
      { class: 'lead' },
      'Updates appear here as soon as they arrive. Point a client at this sandbox:',
    ),
    codeBox(variable, 'the setting'),
    h('p', { class: 'or' }, 'or send one from a terminal'),
    codeBox(curl, 'the command'),
    h('p', { class: 'or' }, 'or directly from this page'),
    h(
      'button',
      { type: 'button', class: 'button primary', id: 'sample', onclick: sendSample },
      icon('bolt'),
      'Send a sample order',
    ),
  );
}

function codeBox(text, what) {
  return h(
    'div',
    { class: 'code-box' },
    h('pre', { tabindex: '0' }, text),
    h(
      'button',
      {
        type: 'button',
        class: 'icon-button',
        'aria-label': `Copy ${what}`,
        title: 'Copy',
        onclick: () => copy(text, what),
      },
      icon('copy'),
    ),
  );
}
