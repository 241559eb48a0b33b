import { describe, expect, it } from 'vitest';
import { builtInText, parsed } from '../test/catalogues.ts';
import { applicationId, editionId } from './identifiers.ts';
import type { Coverage } from './judge-request.ts';
import { judgeRequest } from './judge-request.ts';

const catalogue = parsed(builtInText('windows-2008'));
const nowMs = 1_800_000_000_000;
const fourHoursMs = 4 * 3_600_000;
const windows = applicationId('windows');
const coverage: Coverage = new Map([[windows, new Set([editionId('vista-business'), editionId('gone')])]]);

function judge(more: { edition?: string; application?: string; skewMs?: number; coverage?: Coverage } = {}) {
  const { application = 'windows', edition = 'vista-business', skewMs = 0 } = more;
  const host = { catalogue, coverage: more.coverage ?? coverage, nowMs };
  const judgement = judgeRequest(host, { application, edition, clientTimeMs: nowMs + skewMs });
  return judgement.ok ? `${judgement.application.id} ${judgement.edition.id}` : judgement.code;
}

describe('a request', () => {
  it('for an edition that a key covers may be counted', () => {
    expect(judge()).toBe('windows vista-business');
  });

  it('is refused while the host has no key at all', () => {
    expect(judge({ coverage: new Map() })).toBe('HOST_NOT_ACTIVATED');
  });

  it.each([
    ['an edition that no key covers', { edition: 'vista-enterprise' }],
    ['an edition that the catalogue does not know, whatever the key says', { edition: 'gone' }],
    ['an application that the catalogue does not know', { application: 'office' }],
    ['names that objects have anyway', { application: 'constructor', edition: '__proto__' }],
    ['an application that no key is for', { coverage: new Map([[applicationId('office'), new Set<never>()]]) }],
    ['an edition when the key covers none', { coverage: new Map([[windows, new Set<never>()]]) }],
  ])('is refused for %s', (_what, more) => {
    expect(judge(more)).toBe('PRODUCT_NOT_COVERED');
  });

  it.each([
    [fourHoursMs, 'windows vista-business'],
    [-fourHoursMs, 'windows vista-business'],
    [fourHoursMs + 1, 'CLOCK_SKEW'],
    [-fourHoursMs - 1, 'CLOCK_SKEW'],
    [Number.NaN, 'CLOCK_SKEW'],
    [Number.POSITIVE_INFINITY, 'CLOCK_SKEW'],
  ])('with a clock %i ms away: %s', (skewMs, result) => {
    expect(judge({ skewMs })).toBe(result);
  });

  it('with several things wrong is refused for the key first, then the product, then the clock', () => {
    const wrong = { edition: 'nothing', skewMs: 2 * fourHoursMs };
    expect(judge({ ...wrong, coverage: new Map() })).toBe('HOST_NOT_ACTIVATED');
    expect(judge(wrong)).toBe('PRODUCT_NOT_COVERED');
  });
});
