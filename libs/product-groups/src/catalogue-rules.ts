import type { CatalogueReader, Located, Place } from './catalogue-reader.ts';
import { quoted } from './catalogue-reader.ts';
import { renewsInTime } from './intervals.ts';

/** Reports a reference that leads nowhere. Where the things referred to could not be read, nothing is said. */
export function checkReference(
  reader: CatalogueReader,
  reference: Located<string>,
  what: string,
  known: ReadonlyMap<string, unknown> | undefined,
): void {
  if (known === undefined || reference.value === '' || known.has(reference.value)) return;
  const hint = reader.suggestion(reference.value, [...known.keys()]);
  reader.report(reference.place, `unknown ${what} ${quoted(reference.value)}${hint}`);
}

/** Reports every include that closes a cycle, with the whole cycle: a hierarchy has a top and a bottom. */
export function checkHierarchy(
  reader: CatalogueReader,
  includes: ReadonlyMap<string, readonly Located<string>[]>,
): void {
  const finished = new Set<string>();
  for (const top of includes.keys()) {
    if (finished.has(top)) continue;
    // The way from the top to where the walk is, with what is still to visit at each step. Kept by hand rather than by
    // recursion, because a chain of groups may be longer than the stack.
    const way = [{ id: top, below: [...(includes.get(top) ?? [])] }];
    const onWay = new Set([top]);
    for (let step = way.at(-1); step !== undefined; step = way.at(-1)) {
      const next = step.below.shift();
      if (next === undefined) {
        finished.add(step.id);
        onWay.delete(step.id);
        way.pop();
      } else if (onWay.has(next.value)) {
        reportCycle(
          reader,
          way.map(({ id }) => id),
          next,
        );
      } else if (!finished.has(next.value)) {
        way.push({ id: next.value, below: [...(includes.get(next.value) ?? [])] });
        onWay.add(next.value);
      }
    }
  }
}

function reportCycle(reader: CatalogueReader, way: readonly string[], closing: Located<string>): void {
  const cycle = [...way.slice(way.indexOf(closing.value)), closing.value];
  const shown = cycle.length > 12 ? [...cycle.slice(0, 6), '…', ...cycle.slice(-5)] : cycle;
  reader.report(closing.place, `groups include each other in a cycle: ${shown.join(' -> ')}`);
}

/** Reports a kind of key that another group has already; a key must tell which group it is for. */
export function checkKeyKind(reader: CatalogueReader, key: Located<string>, owners: Map<string, string>): void {
  if (key.value === '') return;
  const owner = owners.get(key.value);
  if (owner === undefined) owners.set(key.value, key.place.path);
  else reader.report(key.place, `the key kind ${quoted(key.value)} is taken already by ${owner}`);
}

/** Reports a renewal interval with which clients would renew only after their validity has ended. */
export function checkRenewal(reader: CatalogueReader, renewal: Place | undefined, minutes: number, days: number): void {
  if (renewal === undefined || Number.isNaN(minutes) || Number.isNaN(days) || renewsInTime(minutes, days)) return;
  reader.report(renewal, `must be shorter than validityDays, which is ${days * 24 * 60} minutes; found ${minutes}`);
}
