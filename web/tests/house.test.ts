/** The house's rules for the page's own files. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const MOST = 400;
const ROOT = new URL('../', import.meta.url).pathname;

it('no file is longer than one can hold in mind', () => {
  const long = ['src', 'src/styles', 'tests'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(folder, entry.name))
      .filter((path) => readFileSync(join(ROOT, path), 'utf8').split('\n').length - 1 > MOST),
  );
  expect(long).toEqual([]);
});
