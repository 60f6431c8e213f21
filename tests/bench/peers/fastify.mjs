// What somebody would write who has Node.js: fastify, ajv, a count for each caller, a request id.
import { randomUUID } from 'node:crypto';
import Fastify from 'fastify';
import proxy from '@fastify/http-proxy';
import Ajv from 'ajv/dist/2020.js';

const [port, api] = process.argv.slice(2);
const text = { type: 'string', maxLength: 4096 };
const op = (path, value, ops = ['add', 'replace']) => ({
  properties: { op: { enum: ops }, path: { const: path }, value },
});
const member = {
  type: 'object', additionalProperties: false,
  properties: { email: text, firstName: text, lastName: text, phoneNumber: text },
};
const validate = new Ajv.default({ strict: false }).compile({
  type: 'array', minItems: 1, maxItems: 1000,
  items: {
    type: 'object', required: ['op', 'path', 'value'], additionalProperties: false,
    properties: { op: { enum: ['add', 'replace'] }, path: { type: 'string' }, value: true },
    anyOf: [
      op('/details/dealValue', { type: 'string', pattern: '^[0-9]+(\\.[0-9]+)?$' }), op('/details/notes', text),
      op('/team/-', member, ['add']),
      op('/status', { enum: ['New', 'Active', 'Closed'] }), op('/substatus', text),
    ],
  },
});
const states = { New: ['Pending', 'Received'], Active: ['Accepted'], Closed: ['Won', 'Lost', 'Declined', 'Expired'] };
const left = new Map();
const server = Fastify({ logger: false, bodyLimit: 1 << 20, keepAliveTimeout: 600000 });
server.register(proxy, {
  upstream: `http://127.0.0.1:${api}`,
  proxyPayloads: false,
  undici: { connections: 256, pipelining: 1, keepAliveTimeout: 600000 },
  preHandler: async (request, reply) => {
    const caller = request.headers.authorization ?? '';
    const tokens = (left.get(caller) ?? 1e9) - 1;
    left.set(caller, tokens);
    if (tokens < 0) return reply.code(429).send({ status: 429 });
    request.headers['request-id'] ??= randomUUID();
    if (!validate(request.body)) return reply.code(422).send({ status: 422, errors: validate.errors });
    const value = (path) => request.body.findLast((each) => each.path === path)?.value;
    if (value('/status') !== undefined && !states[value('/status')].includes(value('/substatus'))) {
      return reply.code(422).send({ status: 422 });
    }
  },
});
await server.listen({ port: Number(port), host: '127.0.0.1' });
