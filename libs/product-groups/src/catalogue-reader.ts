import type { Node } from 'yaml';
import { isMap, isScalar, isSeq } from 'yaml';
import { catalogueLimits } from './catalogue-limits.ts';
import type { NumberRange } from './catalogue-ranges.ts';
import { identifierRule, isIdentifier } from './identifiers.ts';
import { nearestName } from './nearest-name.ts';

/** A problem as it is found: by its offset in the text, which later becomes line and column. */
export interface FoundProblem {
  readonly offset: number;
  readonly path: string;
  readonly message: string;
  readonly remedy?: string;
}

/** A value in the document: its node, its path, and where it stands. */
export interface Place {
  readonly node: Node | null;
  readonly path: string;
  /** Where its key stands: that is where one looks for what is missing in it. */
  readonly keyOffset: number;
}

/** A value that was read, still with its place so that later checks can point at it. */
export interface Located<T> {
  readonly value: T;
  readonly place: Place;
}

/**
 * Reads typed values out of a document and collects every problem instead of stopping at the first. Where a value is
 * wrong, a stand-in comes back that no later check minds ('' or NaN); with a problem reported, no catalogue is made.
 */
export class CatalogueReader {
  readonly problems: FoundProblem[] = [];

  report(place: Place, message: string, remedy?: string): void {
    this.reportAt(valueOffset(place), place.path, message, remedy);
  }

  /** Reads a map with known keys. Unknown, duplicate and missing ones are reported. Undefined when it is no map. */
  fields(place: Place, required: readonly string[], optional: readonly string[] = []): Map<string, Place> | undefined {
    const fields = this.#entries(place);
    if (fields === undefined) return undefined;
    const known = [...required, ...optional];
    for (const [key, field] of fields) {
      if (known.includes(key)) continue;
      const hint = this.suggestion(key, known) || `; the keys here are ${known.join(', ')}`;
      this.reportAt(field.keyOffset, field.path, `unknown key ${quoted(key)}${hint}`);
    }
    for (const key of required) {
      if (!fields.has(key)) this.reportAt(place.keyOffset, joined(place.path, key), `missing key ${quoted(key)}`);
    }
    return fields;
  }

  /** Reads a map whose keys are identifiers of things. Undefined when it is no map, and reported when it is empty. */
  things(place: Place | undefined, whatMany: string): Map<string, Place> | undefined {
    if (place === undefined) return undefined;
    const entries = this.#entries(place);
    if (entries?.size === 0) this.report(place, `there must be at least one of the ${whatMany}`);
    for (const [id, entry] of entries ?? []) {
      if (isIdentifier(id)) continue;
      this.reportAt(entry.keyOffset, entry.path, `${quoted(id)} is not an identifier`, `Use ${identifierRule}.`);
    }
    return entries;
  }

  /** Reads a whole number in a range; NaN when it is not one. */
  wholeNumber(place: Place | undefined, range: NumberRange): number {
    if (place === undefined) return Number.NaN;
    const value = isScalar(place.node) ? place.node.value : undefined;
    const rule = `must be a whole number from ${range.min} to ${range.max}`;
    if (typeof value === 'number' && Number.isInteger(value) && value >= range.min && value <= range.max) return value;
    this.report(place, `${rule}; found ${described(place.node)}`);
    return Number.NaN;
  }

  /** Reads `true` or `false`; false when it is neither. */
  yesOrNo(place: Place | undefined): boolean {
    if (place === undefined) return false;
    const value = isScalar(place.node) ? place.node.value : undefined;
    if (typeof value === 'boolean') return value;
    this.report(place, `must be true or false; found ${described(place.node)}`);
    return false;
  }

  /** Reads a name that people see: one line of 1 to 200 characters. */
  name(place: Place | undefined): string {
    return this.text(place, /^[^\p{Cc}]{1,200}$/u, 'text of 1 to 200 characters on one line');
  }

  /** Reads an identifier, such as a reference to something defined elsewhere. */
  identifier(place: Place | undefined): string {
    return this.text(place, /^[a-z0-9][a-z0-9-]{0,63}$/, `an identifier: ${identifierRule}`);
  }

  /** Reads text of a form; '' when it is something else. */
  text(place: Place | undefined, form: RegExp, rule: string): string {
    if (place === undefined) return '';
    const value = isScalar(place.node) ? place.node.value : undefined;
    if (typeof value === 'string' && form.test(value) && value.trim() !== '') return value;
    const remedy = isScalar(place.node) && typeof value !== 'string' && value !== null;
    this.report(
      place,
      `must be ${rule}; found ${described(place.node)}`,
      remedy ? 'Put the value in double quotes.' : undefined,
    );
    return '';
  }

  /** Reads a list of identifiers, none of them twice. Undefined when it is no list. */
  identifiers(place: Place | undefined): Located<string>[] | undefined {
    if (place === undefined) return undefined;
    if (!isSeq<Node>(place.node)) {
      this.report(place, `must be a list of identifiers; found ${described(place.node)}`);
      return undefined;
    }
    const seen = new Set<string>();
    return place.node.items.map((node, index) => {
      const item: Place = { node, path: `${place.path}[${index}]`, keyOffset: node.range?.[0] ?? valueOffset(place) };
      const value = this.identifier(item);
      if (value !== '' && seen.has(value)) this.report(item, `${quoted(value)} is listed twice`);
      seen.add(value);
      return { value, place: item };
    });
  }

  /** The end of a message about an unknown name: the known one that it is near to, or nothing. */
  suggestion(name: string, known: readonly string[]): string {
    // Beyond the problems that are shown, looking for names would only cost time.
    if (this.problems.length >= catalogueLimits.problems) return '';
    const nearest = nearestName(name, known);
    return nearest === undefined ? '' : `; did you mean ${nearest}?`;
  }

  reportAt(offset: number, path: string, message: string, remedy?: string): void {
    this.problems.push({ offset, path, message, ...(remedy === undefined ? {} : { remedy }) });
  }

  /** The entries of a map by key, the first of each key; a second one is reported. */
  #entries(place: Place): Map<string, Place> | undefined {
    if (!isMap<Node, Node | null>(place.node)) {
      const subject = place.path === '' ? 'a catalogue ' : '';
      this.report(place, `${subject}must be a map; found ${described(place.node)}`);
      return undefined;
    }
    const entries = new Map<string, Place>();
    for (const { key, value } of place.node.items) {
      const name = isScalar(key) ? String(key.value) : '';
      const entry = { node: value, path: joined(place.path, name), keyOffset: key.range?.[0] ?? place.keyOffset };
      if (entries.has(name)) this.reportAt(entry.keyOffset, entry.path, `duplicate key ${quoted(name)}`);
      else entries.set(name, entry);
    }
    return entries;
  }
}

/** A text of the document as messages show it: in quotes, and not endlessly. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

function joined(path: string, key: string): string {
  const part = key.length > 80 ? `${key.slice(0, 80)}…` : key;
  return path === '' ? part : `${path}.${part}`;
}

/** Where a value stands; where there is none, its key. */
function valueOffset({ node, keyOffset }: Place): number {
  if (!node?.range || node.range[0] === node.range[1]) return keyOffset;
  return node.range[0];
}

function described(node: Node | null): string {
  if (isMap(node)) return 'a map';
  if (isSeq(node)) return 'a list';
  const value = isScalar(node) ? node.value : null;
  if (value === null) return 'nothing';
  return typeof value === 'string'
    ? `the text ${quoted(value)}`
    : `the ${typeof value} ${quoted(String(value)).slice(1, -1)}`;
}
