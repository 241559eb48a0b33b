import type { Application, Catalogue, Edition } from './catalogue.ts';
import type { ApplicationId, EditionId } from './identifiers.ts';

/** Which editions the installed, activated and unexpired keys cover, by application. Empty when there is no such key. */
export type Coverage = ReadonlyMap<ApplicationId, ReadonlySet<EditionId>>;

/** What a host knows when it judges a request. */
export interface HostState {
  readonly catalogue: Catalogue;
  readonly coverage: Coverage;
  /** The host's clock, in epoch milliseconds. */
  readonly nowMs: number;
}

/** What of a request decides whether it may be counted. The names are the client's and may be anything. */
export interface RequestToJudge {
  readonly application: string;
  readonly edition: string;
  /** The client's clock, in epoch milliseconds. */
  readonly clientTimeMs: number;
}

/** A request that may be counted, with what it is for; or why it is refused and not counted. */
export type Judgement =
  | { readonly ok: true; readonly application: Application; readonly edition: Edition }
  | { readonly ok: false; readonly code: 'HOST_NOT_ACTIVATED' | 'PRODUCT_NOT_COVERED' | 'CLOCK_SKEW' };

const millisecondsPerMinute = 60_000;

/**
 * Judges a request before it is counted (DESIGN 2.2, 2.4), in this order: `HOST_NOT_ACTIVATED` when no key is there at
 * all, `PRODUCT_NOT_COVERED` when none covers the edition, or the catalogue does not know it, `CLOCK_SKEW` when the
 * clocks differ by more than the application accepts; exactly the limit is accepted.
 */
export function judgeRequest(host: HostState, request: RequestToJudge): Judgement {
  if (host.coverage.size === 0) return { ok: false, code: 'HOST_NOT_ACTIVATED' };
  const application = host.catalogue.applications.get(request.application as ApplicationId);
  const edition = application?.editions.get(request.edition as EditionId);
  if (application === undefined || edition === undefined || !isCovered(host.coverage, application, edition)) {
    return { ok: false, code: 'PRODUCT_NOT_COVERED' };
  }
  const skewMs = Math.abs(request.clientTimeMs - host.nowMs);
  // Asked this way round, a client time that is no number is refused.
  if (!(skewMs <= application.clockSkewMinutes * millisecondsPerMinute)) return { ok: false, code: 'CLOCK_SKEW' };
  return { ok: true, application, edition };
}

function isCovered(coverage: Coverage, application: Application, edition: Edition): boolean {
  return coverage.get(application.id)?.has(edition.id) ?? false;
}
