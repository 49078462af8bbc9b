// Builds elements. Text becomes text nodes, never markup, so that no payload can inject markup.

/** An element with attributes (`on…` are listeners, `true` is an empty attribute) and children. */
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  append(element, children);
  return element;
}

export function append(element, children) {
  for (const child of children.flat(Number.POSITIVE_INFINITY)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

const SHAPES = {
  open: 'M4 5.5h9M4 10h12M4 14.5h7',
  warning: 'M10 3.2 17.4 16H2.6L10 3.2ZM10 8.4v3.4M10 13.9v.1',
  ignored: 'M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14ZM5.2 5.2l9.6 9.6',
  returning: 'M4 8.5h9a3.5 3.5 0 0 1 0 7H8M7 5 3.5 8.5 7 12',
  close: 'M5 5l10 10M15 5 5 15',
  copy: 'M7.5 7.5h8v8h-8zM4.5 12.5v-8h8',
  bolt: 'M11 2.8 4.5 11.2h4.7L8.6 17.2l6.9-8.6h-4.8l.3-5.8Z',
  merge: 'M5 4v4c0 3 2 4 5 4h5M12 9l3 3-3 3M5 8v8',
  check: 'M4.5 10.5 8.5 14.5 15.5 6',
};

export function icon(name) {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg');
  svg.setAttribute('viewBox', '0 0 20 20');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(space, 'path');
  path.setAttribute('d', SHAPES[name]);
  svg.append(path);
  return svg;
}

export const byId = (id) => document.getElementById(id);

let hiding;
/** Shows a message for two seconds; screen readers announce it. */
export function notify(text) {
  const toast = byId('message');
  toast.textContent = text;
  toast.classList.add('shown');
  clearTimeout(hiding);
  hiding = setTimeout(() => toast.classList.remove('shown'), 2200);
}

export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    copyByHand(text);
  }
  notify(`Copied ${what}`);
}

/** Browsers allow clipboard access only to pages of this machine or over HTTPS. */
function copyByHand(text) {
  const area = h('textarea', { class: 'offscreen', 'aria-hidden': 'true' });
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
}
