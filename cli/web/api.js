// Talks to the sandbox.

async function ask(path, options) {
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

export const about = () => ask('/_sandbox/about');
export const orders = (query) => ask(withQuery('/_sandbox/orders', query));
export const details = (order) =>
  ask(withQuery('/_sandbox/details', { order_id: order.order_id, site_id: order.site_id }));
export const requests = (newest) => ask(withQuery('/_sandbox/updates', { newest }));
export const faults = () => ask('/_sandbox/faults');
export const addFault = (rule) =>
  ask('/_sandbox/faults', { method: 'POST', headers: JSON_TYPE, body: JSON.stringify(rule) });
export const removeFault = (id) => ask(`/_sandbox/faults/${id}`, { method: 'DELETE' });
export const clearFaults = () => ask('/_sandbox/faults', { method: 'DELETE' });
export const clear = () => ask('/_sandbox', { method: 'DELETE' });

/** Sends an update as any client would; says what it was answered with. */
export async function send(update) {
  const body = JSON.stringify(update);
  const answer = await fetch('/v2/_tr_offline', { method: 'POST', headers: JSON_TYPE, body });
  return answer.status;
}

/**
 * Calls back with the counts whenever something changed, and says whether it is connected. A tab
 * that is not looked at gives its connection back, since a browser has few of them per server.
 */
export function watch(changed, connected) {
  let source = null;
  const look = () => {
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
  document.addEventListener('visibilitychange', look);
  look();
}
