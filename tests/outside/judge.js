// SPDX-License-Identifier: Apache-2.0
// Judges recorded traffic by the documents in schema/ with ajv. The arguments: the tree, and traces of daemons as strace
// writes them (-xx; accept4, bind, recvmsg, sendmsg, close). Each connection to codexosd.sock is put together again, and
// of each exchange is asked:
//   - is the answer HTTP that ends where it says, with an id of the request;
//   - is its status one that openapi.yaml names for the operation, or an error as a problem document, and its body what
//     stands there, line by line where it is a stream; events and tasks also by the schemas that are published alone;
//   - is what our own client asks described: path, method, query and body;
//   - was what is not described refused, whoever asked.
// Prints what was wrong, a line each, then which operations never succeeded, which gaps were seen (GAPS), and one line with
// the counts. Exits with 1 when there was any of the first two, or a gap that is none any more.
'use strict';
const fs = require('fs');
const { createRequire } = require('module');
const [root, modules, ...traces] = process.argv.slice(2);
const need = createRequire(modules + '/');
const Ajv = need('ajv/dist/2020');
const YAML = need('yaml');

const api = YAML.parse(fs.readFileSync(`${root}/schema/openapi.yaml`, 'utf8'));
const published = (name) => JSON.parse(fs.readFileSync(`${root}/schema/${name}.schema.json`, 'utf8'));

// --- what is wrong, each kind once with its first example ---

const problems = new Map();
function wrong(where, what, example) {
  const key = `${where}: ${what}`;
  const known = problems.get(key);
  if (known) known.times++;
  else problems.set(key, { times: 1, example: String(example).slice(0, 300) });
}

// What the daemon does and openapi.yaml does not say. The list may only become shorter: what is not in it is wrong, and so
// is an entry that the traffic no longer shows.
const GAPS = {
  bytes: 'a string that is no UTF-8 is {"base64": ...}, which belongs beside "type: string"',
  paths: 'path1, path2, ... of GET .../changes and .../diff belong to the parameters',
};
const gaps = new Map();
const gap = (name) => gaps.set(name, (gaps.get(name) || 0) + 1);

// --- the documents ---

const ajv = new Ajv({ strict: true, allErrors: true, validateFormats: true, allowUnionTypes: true });
need('ajv-formats').default(ajv);
const local = (schema) => JSON.parse(JSON.stringify(schema).replaceAll('"#/components/schemas/', '"component:'));
for (const [name, schema] of Object.entries(api.components.schemas)) ajv.addSchema(local(schema), `component:${name}`);
const compiled = new Map();
function validator(schema) {
  const key = JSON.stringify(schema);
  if (!compiled.has(key)) compiled.set(key, ajv.compile(local(schema)));
  return compiled.get(key);
}
const alone = { Event: ajv.compile(published('event')), Task: ajv.compile(published('task')) };
const faults = (v) => v.errors.map((e) => `${e.instancePath.replace(/\/\d+/g, '/N')} ${e.message} ${e.params.additionalProperty || ''}`.trim());

// With the text in place of each {"base64": ...}.
function asText(value) {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(asText);
  const names = Object.keys(value);
  if (names.length === 1 && names[0] === 'base64' && typeof value.base64 === 'string') {
    gap('bytes');
    return value.base64;
  }
  return Object.fromEntries(names.map((name) => [name, asText(value[name])]));
}

let values = 0;
const events = new Set();
function judge(where, schema, raw, text) {
  const value = asText(raw);
  const check = (v) => {
    values++;
    if (!v(value)) for (const f of faults(v)) wrong(where, f, text);
  };
  check(validator(schema));
  // The first of those that it may be: the others are told apart by their type.
  let name = ((schema.anyOf ? schema.anyOf[0] : schema).$ref || '').split('/').pop();
  if (schema.anyOf && value && value.type === 'heartbeat') name = 'Heartbeat';
  if (name === 'StreamLine' && value && 'seq' in value) name = 'Event';
  if (name === 'Event') events.add(value.type);
  if (alone[name]) check(alone[name]);
}
function parsed(where, text) {
  try {
    return [JSON.parse(text)];
  } catch (e) {
    wrong(where, 'is no JSON', text);
    return null;
  }
}

const operations = [];
for (const [pattern, item] of Object.entries(api.paths))
  for (const [method, operation] of Object.entries(item))
    operations.push({ name: `${method.toUpperCase()} ${pattern}`, method: method.toUpperCase(), segments: pattern.split('/'), operation, seen: new Map() });
function find(method, path) {
  const have = path.split('/');
  const at = operations.filter((o) => o.segments.length === have.length && o.segments.every((s, i) => s === have[i] || (s[0] === '{' && have[i] !== '')));
  // As the daemon does: what is written out stands before what is a parameter.
  const literal = (o) => o.segments.filter((s) => s[0] === '{').length;
  at.sort((a, b) => literal(a) - literal(b));
  return { match: at.find((o) => o.method === method), allowed: at.map((o) => o.method) };
}

// --- connections out of traces ---

const bytes = (hex) => Buffer.from(hex.replaceAll('\\x', ''), 'hex');
const kSocketName = Buffer.from('codexosd.sock').toString('hex').replace(/../g, '\\x$&');

function* connections(file) {
  let listener = null;
  const open = new Map();
  for (const line of fs.readFileSync(file, 'latin1').split('\n')) {
    let m;
    if ((m = /^bind\((\d+), .*= 0$/.exec(line))) {
      if (line.includes(kSocketName)) listener = m[1];
    } else if ((m = /^accept4\((\d+), .*= (\d+)$/.exec(line))) {
      if (m[1] !== listener) continue;
      if (open.has(m[2])) yield open.get(m[2]);
      open.set(m[2], { file, sent: [], got: [] });
    } else if ((m = /^(recvmsg|sendmsg|close)\((\d+)/.exec(line))) {
      const c = open.get(m[2]);
      if (!c) continue;
      if (m[1] === 'close') {
        open.delete(m[2]);
        yield c;
        continue;
      }
      const n = /= (\d+)$/.exec(line);
      const text = /iov_base="((?:\\x[0-9a-f]{2})*)"/.exec(line);
      if (n && Number(n[1]) > 0 && text) (m[1] === 'recvmsg' ? c.got : c.sent).push(bytes(text[1].slice(0, 4 * Number(n[1]))));
    }
  }
  yield* open.values();
}

// --- HTTP ---

// One message at `at`: { head, headers, body, end, whole }, or null where there is none. `lengthless`: a body without
// length or chunks has none (requests), else it goes on to the end (answers).
function message(data, at) {
  const stop = data.indexOf('\r\n\r\n', at);
  if (stop < 0) return null;
  const [head, ...rows] = data.toString('latin1', at, stop).split('\r\n');
  const headers = {};
  for (const row of rows) {
    const colon = row.indexOf(':');
    headers[row.slice(0, colon).toLowerCase()] = row.slice(colon + 1).trim();
  }
  let from = stop + 4;
  if (/chunked/i.test(headers['transfer-encoding'] || '')) {
    const parts = [];
    for (;;) {
      const line = data.indexOf('\r\n', from);
      if (line < 0) return { head, headers, body: Buffer.concat(parts), end: data.length, whole: false };
      const size = parseInt(data.toString('latin1', from, line), 16);
      if (!(size >= 0)) return null;
      const next = line + 2 + size + 2;
      if (next > data.length) return { head, headers, body: Buffer.concat(parts), end: data.length, whole: false };
      if (size === 0) return { head, headers, body: Buffer.concat(parts), end: next, whole: true };
      parts.push(data.subarray(line + 2, line + 2 + size));
      from = next;
    }
  }
  const length = Number(headers['content-length'] || 0);
  return { head, headers, body: data.subarray(from, from + length), end: Math.min(from + length, data.length), whole: from + length <= data.length };
}

function* exchanges(c) {
  const got = Buffer.concat(c.got);
  const sent = Buffer.concat(c.sent);
  let ask = 0;
  let answer = 0;
  while (answer < sent.length) {
    const request = ask < got.length ? message(got, ask) : null;
    const response = message(sent, answer);
    if (!response) return yield { request, torn: sent.subarray(answer) };
    answer = response.end;
    if (/^HTTP\/1\.1 100 /.test(response.head)) continue;
    if (request) ask = request.end;
    yield { request, response };
    if (/^HTTP\/1\.1 101 /.test(response.head) || !response.whole) return;
  }
}

// --- one exchange ---

const isProblem = (media) => media === 'application/problem+json';
let count = 0;

function judgeBody(where, media, schema, response) {
  const text = response.body.toString('utf8');
  if (Buffer.from(text, 'utf8').compare(response.body) !== 0 && media !== 'text/x-diff') wrong(where, 'is no UTF-8', text);
  if (media === 'application/x-ndjson') {
    const lines = text.split('\n');
    const rest = lines.pop();
    if (rest !== '' && response.whole) wrong(where, 'the last line has no end', rest);
    for (const line of lines) {
      const value = parsed(where, line);
      if (value) judge(where, schema, value[0], line);
    }
  } else if (media !== 'text/x-diff' && response.whole) {
    const value = parsed(where, text);
    if (value) judge(where, schema, value[0], text);
  }
}

function judgeProblem(where, status, response) {
  if (!response.whole) return;
  const schema = { $ref: '#/components/schemas/Problem' };
  const text = response.body.toString('utf8');
  const value = parsed(where, text);
  if (!value) return;
  judge(where, schema, value[0], text);
  for (const field of ['title', 'status', 'code', 'request_id'])
    if (!value[0][field]) wrong(where, `a problem without ${field}`, text);
  if (value[0].status !== status) wrong(where, 'the status of the problem is another', text);
  if (value[0].request_id !== response.headers['x-request-id']) wrong(where, 'the request id of the problem is another', text);
}

function judgeRequest(o, request, query, status, ours) {
  const where = `${o.name}, request`;
  const refused = status >= 400;
  const body = o.operation.requestBody;
  let fault = null;
  if (request.body.length > 0) {
    if (!body) {
      fault = 'has a body, and none is described';
    } else {
      let value;
      try {
        value = [JSON.parse(request.body.toString('utf8'))];
      } catch (e) {
        fault = 'body: is no JSON';
      }
      if (value) {
        const v = validator(body.content['application/json'].schema);
        values++;
        if (!v(asText(value[0]))) fault = `body: ${faults(v)[0]}`;
      }
    }
  }
  if (fault && (ours || !refused)) wrong(where, `${fault}${refused ? '' : `, and the answer is ${status}`}`, request.body.toString('utf8'));
  if (!ours) return;
  const parameters = Object.fromEntries((o.operation.parameters || []).filter((p) => p.in === 'query').map((p) => [p.name, p.schema]));
  for (const [name, value] of query) {
    if (!parameters[name]) {
      if (/^path\d+$/.test(name) && parameters.path) gap('paths');
      else wrong(where, `query: ${name} is not described`, request.head);
      continue;
    }
    const v = validator(parameters[name]);
    values++;
    if (!v(parameters[name].type === 'integer' ? Number(value) : value)) wrong(where, `query: ${name} ${faults(v)[0]}`, request.head);
  }
}

function judgeExchange({ request, response, torn }) {
  if (torn) return wrong('an answer', 'is no HTTP', torn.toString('latin1'));
  count++;
  const status = Number((/^HTTP\/1\.1 (\d{3}) /.exec(response.head) || [])[1]);
  const media = (response.headers['content-type'] || '').split(';')[0];
  if (!status) return wrong('an answer', 'has no status', response.head);
  if (!response.headers['x-request-id']) wrong('an answer', 'has no x-request-id', response.head);
  const line = request && /^([A-Z]+) (\S+) HTTP\/1\.[01]$/.exec(request.head);
  // What is no HTTP, or was refused before it was whole, belongs to no operation.
  if (!line || !request.whole) {
    if (status < 400 || !isProblem(media)) wrong('what is no request', `is answered ${status} as ${media}`, request ? request.head : '');
    else judgeProblem('what is no request', status, response);
    return;
  }
  const [path, search] = line[2].replace(/^https?:\/\/[^/]*/, '').split('?');
  const { match, allowed } = find(line[1], path);
  const ours = /^codexos\//.test(request.headers['user-agent'] || '');
  if (!match) {
    const should = allowed.length > 0 ? [405, 400, 501] : [404, 400];
    if (!should.includes(status)) wrong(`${line[1]} ${path}`, `is not described, and the answer is ${status}`, request.head);
    if (status === 405 && !response.headers.allow) wrong(`${line[1]} ${path}`, '405 without Allow', request.head);
    if (ours) wrong(`${line[1]} ${path}`, 'our client asks for it, and it is not described', request.head);
    if (!isProblem(media)) wrong(`${line[1]} ${path}`, `${status} as ${media}`, request.head);
    else judgeProblem(`${line[1]} ${path}`, status, response);
    return;
  }
  match.seen.set(status, (match.seen.get(status) || 0) + 1);
  judgeRequest(match, request, new URLSearchParams(search || ''), status, ours);
  const where = `${match.name}, ${status}`;
  const said = match.operation.responses[status] || (status >= 400 ? match.operation.responses.default : undefined);
  if (!said) return wrong(where, 'is not described', response.body.toString('utf8'));
  if (!said.content) {
    if (response.body.length > 0 && status !== 101) wrong(where, 'has a body, and none is described', response.body.toString('utf8'));
    if (status === 101 && !/^codexos-frames\/\d+$/.test(response.headers.upgrade || '')) wrong(where, 'is no upgrade to frames', response.head);
    return;
  }
  if (!said.content[media]) return wrong(where, `as ${media}, described is ${Object.keys(said.content)}`, response.body.toString('utf8'));
  if (isProblem(media)) judgeProblem(where, status, response);
  else judgeBody(where, media, said.content[media].schema, response);
}

let links = 0;
for (const file of traces)
  for (const c of connections(file)) {
    links++;
    for (const e of exchanges(c)) judgeExchange(e);
  }

const done = (o) => [...o.seen.keys()].some((s) => s < 400);
const never = operations.filter((o) => !done(o)).map((o) => o.name);
const closed = Object.keys(GAPS).filter((name) => !gaps.has(name));
for (const [what, { times, example }] of problems) console.log(`${what} (${times}): ${example}`);
for (const name of never) console.log(`never done: ${name}`);
for (const name of closed) console.log(`not seen, so it may go from the list of gaps: ${name}`);
for (const [name, times] of gaps) console.log(`gap: ${name} (${times}): ${GAPS[name]}`);
console.log(`events: ${[...events].sort().join(' ')}`);
console.log(`${links} connections, ${count} exchanges, ${values} values; ${operations.length - never.length} of ${operations.length} operations done`);
process.exitCode = problems.size + never.length + closed.length > 0 ? 1 : 0;
