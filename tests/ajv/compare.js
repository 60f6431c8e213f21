// Reads a list of { draft, schema, asked: { reference: [value, …] } }, and writes for each what ajv
// says of each value at each reference: `1` where it fits.
import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';

const engines = { 'draft-07': Ajv, '2019-09': Ajv2019, '2020-12': Ajv2020 };

/** What `asked` asks, of one schema. */
function answers({ draft, schema, asked }) {
  const ajv = formats.default(new engines[draft]({ strict: false, logger: false }));
  ajv.addSchema({ ...schema, $id: 'https://localhost/whole' });
  return Object.fromEntries(Object.entries(asked).map(([reference, values]) => {
    const fits = ajv.compile({ $ref: `https://localhost/whole#${reference}` });
    return [reference, values.map((value) => (fits(value) ? '1' : '0')).join('')];
  }));
}

const corpus = JSON.parse(readFileSync(process.argv[2], 'utf8'));
console.log(JSON.stringify(corpus.map(answers)));
