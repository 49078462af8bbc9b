// Formats an update as a curl command, or as a call of a client in each language.

/** The fields of a payload without those that the client adds. */
function fieldsOf(payload) {
  const { site_id: _site, order_id: _order, ...fields } = payload;
  return Object.entries(fields);
}

function curl({ endpoint, raw }) {
  const quoted = raw.replaceAll("'", `'\\''`);
  return `curl -i -X POST '${endpoint}' \\\n  -H 'Content-Type: application/json' \\\n  --data-binary '${quoted}'\n`;
}

// Control and formatting characters, which are invisible or change the direction of text.
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const hex = (char) => char.codePointAt(0).toString(16).padStart(4, '0');

/** A string literal of Python and JavaScript, with invisible characters escaped. */
function escaped(text) {
  return JSON.stringify(text).replace(HIDDEN, (char) =>
    char.length > 1 ? char : `\\u${hex(char)}`,
  );
}

/** A string literal of PHP and Rust, which write code points in braces. */
function braced(text, special) {
  const plain = text.replace(special, (char) => `\\${char}`);
  return `"${plain.replace(HIDDEN, (char) => (char === '\n' ? '\\n' : `\\u{${hex(char)}}`))}"`;
}

function python({ endpoint, payload }) {
  const word = (value) => {
    if (value === null) return 'None';
    if (value === true) return 'True';
    if (value === false) return 'False';
    if (Array.isArray(value)) return `[${value.map(word).join(', ')}]`;
    if (typeof value === 'object') {
      const pairs = Object.entries(value).map(([key, item]) => `${escaped(key)}: ${word(item)}`);
      return `{${pairs.join(', ')}}`;
    }
    return typeof value === 'string' ? escaped(value) : String(value);
  };
  const lines = fieldsOf(payload).map(([key, value]) => `    ${escaped(key)}: ${word(value)},\n`);
  return `import katalys

client = katalys.Client(${escaped(String(payload.site_id))}, endpoint=${escaped(endpoint)})
client.update_order(${word(payload.order_id)}, {
${lines.join('')}})
`;
}

function node({ endpoint, payload }) {
  const word = (value) => (typeof value === 'string' ? escaped(value) : JSON.stringify(value));
  const lines = fieldsOf(payload).map(([key, value]) => `  ${escaped(key)}: ${word(value)},\n`);
  return `import { Client } from "katalys";

const client = new Client({ siteId: ${escaped(String(payload.site_id))}, endpoint: ${escaped(endpoint)} });
await client.updateOrder(${word(payload.order_id)}, {
${lines.join('')}});
`;
}

function php({ endpoint, payload }) {
  const text = (value) =>
    value.search(HIDDEN) < 0
      ? `'${value.replace(/[\\']/g, (char) => `\\${char}`)}'`
      : braced(value, /[\\"$]/g);
  const word = (value) => {
    if (typeof value === 'string') return text(value);
    if (Array.isArray(value)) return `[${value.map(word).join(', ')}]`;
    if (value !== null && typeof value === 'object') {
      const pairs = Object.entries(value).map(([key, item]) => `${text(key)} => ${word(item)}`);
      return `[${pairs.join(', ')}]`;
    }
    return String(value);
  };
  const lines = fieldsOf(payload).map(([key, value]) => `    ${text(key)} => ${word(value)},\n`);
  return `<?php
require 'vendor/autoload.php';

$client = new Katalys\\Client(${text(String(payload.site_id))}, endpoint: ${text(endpoint)});
$client->updateOrder(${word(payload.order_id)}, [
${lines.join('')}]);
`;
}

function rust({ endpoint, payload }) {
  const text = (value) => braced(value, /[\\"]/g);
  const word = (value) => {
    if (typeof value === 'string') return text(value);
    if (Array.isArray(value))
      return `Value::List(vec![${value.map((item) => `${word(item)}.into()`).join(', ')}])`;
    if (value === null) return 'Value::Null';
    if (typeof value === 'object') {
      const pairs = Object.entries(value).map(([key, item]) => `.set(${text(key)}, ${word(item)})`);
      return `Fields::new()${pairs.join('')}`;
    }
    const isWide = Number.isInteger(value) && Math.abs(value) > 0x7fffffff;
    return isWide && Number.isSafeInteger(value) ? `${value}_i64` : String(value);
  };
  const lines = fieldsOf(payload).map(
    ([key, value]) => `        .set(${text(key)}, ${word(value)})\n`,
  );
  const uses = /\bValue::/.test(lines.join(''))
    ? 'Client, Fields, Language, Value'
    : 'Client, Fields, Language';
  return `use katalys_core::{${uses}};

fn main() -> Result<(), katalys_core::Error> {
    let options = Fields::new()
        .set("site_id", ${text(String(payload.site_id))})
        .set("endpoint", ${text(endpoint)});
    let client = Client::with_options(Language::Rust, &options)?;
    let update = Fields::new()
${lines.join('').replace(/\n$/, '')};
    client.update_order(${word(payload.order_id)}, update)?;
    Ok(())
}
`;
}

function c({ endpoint, payload }) {
  const octal = (char) =>
    [...new TextEncoder().encode(char)].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`);
  const text = (value) => {
    const plain = value.replace(/[\\"?]/g, (char) => `\\${char}`);
    return `TEXT("${plain.replace(HIDDEN, (char) => octal(char).join(''))}")`;
  };
  const set = (key, value) => {
    if (typeof value === 'string') return [`set_text(fields, ${key}, ${text(value)})`];
    if (value === null) return [`set_null(fields, ${key})`];
    if (typeof value === 'boolean') return [`set_bool(fields, ${key}, ${value})`];
    if (Number.isSafeInteger(value)) return [`set_int(fields, ${key}, ${value})`];
    if (typeof value === 'number') return [`set_float(fields, ${key}, ${value})`];
    const isList = Array.isArray(value);
    const inner = isList
      ? value.flatMap((item) => set('NULL, 0', item))
      : Object.entries(value).flatMap(([name, item]) => set(text(name), item));
    return [`open_${isList ? 'list' : 'record'}(fields, ${key})`, ...inner, 'close(fields)'];
  };
  const calls = fieldsOf(payload).flatMap(([key, value]) => set(text(key), value));
  return `#include <katalys.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define TEXT(text) text, strlen(text)

int main(void) {
    katalys_fields *fields = katalys_fields_new();
    katalys_client *client = NULL;
    katalys_result *result = NULL;
    katalys_code code;

    katalys_fields_set_text(fields, TEXT("site_id"), ${text(String(payload.site_id))});
    katalys_fields_set_text(fields, TEXT("endpoint"), ${text(endpoint)});
    code = katalys_client_new(fields, &client, &result);
    katalys_fields_free(&fields);
    if (code == KATALYS_OK) {
        katalys_result_free(&result);
        fields = katalys_fields_new();
${calls.map((call) => `        katalys_fields_${call};\n`).join('')}        code = katalys_update_order(client, ${text(String(payload.order_id))}, fields, &result);
    }
    if (code != KATALYS_OK) fprintf(stderr, "%s\\n", katalys_result_message(result));
    katalys_result_free(&result);
    katalys_fields_free(&fields);
    katalys_client_free(&client);
    return code == KATALYS_OK ? 0 : 1;
}
`;
}

export const LANGUAGES = [
  ['curl', curl],
  ['Python', python],
  ['Node', node],
  ['PHP', php],
  ['C', c],
  ['Rust', rust],
];
