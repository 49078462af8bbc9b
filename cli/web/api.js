// Calls the sandbox's API.

async function request(path, options) {
  const answer = await fetch(path, { cache: 'no-store', ...options });
  const text = await answer.text();
  const body = text ? JSON.parse(text) : null;
  if (!answer.ok) throw new Error(body?.error ?? `the sandbox answered ${answer.status}`);
  return body;
}

function withQuery(path, query) {
  const given = Object.entries(query).filter(([, value]) => value !== '' && value !== undefined);
  return `${path}?${new URLSearchParams(given)}`;
}

const JSON_TYPE = { 'content-type': 'application/json' };

export const about = () => request('/_sandbox/about');
export const orders = (query) => request(withQuery('/_sandbox/orders', query));
export const details = (order) =>
  request(withQuery('/_sandbox/details', { order_id: order.order_id, site_id: order.site_id }));
export const requests = (newest) => request(withQuery('/_sandbox/updates', { newest }));
export const faults = () => request('/_sandbox/faults');
export const addFault = (rule) =>
  request('/_sandbox/faults', { method: 'POST', headers: JSON_TYPE, body: JSON.stringify(rule) });
export const removeFault = (id) => request(`/_sandbox/faults/${id}`, { method: 'DELETE' });
export const clearFaults = () => request('/_sandbox/faults', { method: 'DELETE' });
export const clear = () => request('/_sandbox', { method: 'DELETE' });

/** Sends an update as a client would; returns the status of the response. */
export async function send(update) {
  const body = JSON.stringify(update);
  const answer = await fetch('/v2/_tr_offline', { method: 'POST', headers: JSON_TYPE, body });
  return answer.status;
}

/**
 * Calls `changed` with the counters after every change, and `connected` with the state of the
 * connection. A hidden tab closes its connection, since browsers allow few of them per server.
 */
export function watch(changed, connected) {
  let source = null;
  const update = () => {
    if (document.hidden) {
      source?.close();
      source = null;
    } else if (!source) {
      source = new EventSource('/_sandbox/events');
      source.addEventListener('change', (event) => changed(JSON.parse(event.data)));
      source.addEventListener('open', () => connected(true));
      source.addEventListener('error', () => connected(false));
    }
  };
  document.addEventListener('visibilitychange', update);
  update();
}
