import type { Installation, InstallationResult } from '@muster/contracts/vendor';
import { type Application, type ApplicationId, type EditionId, MusterError } from '@muster/product-groups';
import type { Clock } from '@muster/service-kit';
import { installationIdBytes, issueMakConfirmation } from '@muster/trust';
import type { Actor } from './actor.ts';
import type { Catalogues } from './catalogue-in-force.ts';
import { refusalOfUse } from './key-use.ts';
import type { KeyRow } from './rows.ts';
import { confirmInstallationsStatement } from './statements.ts';
import type { Store } from './store.ts';
import type { VendorRoots } from './vendor-root.ts';

/** Most installations of one call (MAK proxy): a batch waits for nobody longer than a statement may. */
export const mostInstallations = 256;

/** What became of each installation, in their order, and what the MAK has left. */
export interface ConfirmedBatch {
  readonly outcomes: readonly ConfirmationOutcome[];
  readonly remaining: number;
}

/** A confirmation, a JWT, or why there is none. */
export type ConfirmationOutcome = string | MusterError;

interface ConfirmationRow {
  readonly code: string;
  readonly issued: string;
  readonly remaining: number;
}

/** What the confirmation of installations is built from. */
export interface InstallationParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly roots: VendorRoots;
  readonly catalogues: Catalogues;
}

/** Confirms installations by MAKs, each once and for good (DESIGN 3). */
export class Installations {
  readonly #parts: InstallationParts;

  constructor(parts: InstallationParts) {
    this.#parts = parts;
  }

  /**
   * Confirms installations by a MAK, all in one commit. What was confirmed before gets the same confirmation and uses
   * nothing.
   *
   * @param installations 1 to 256.
   * @throws MusterError `KEY_REVOKED` for all. Each one for itself: `INPUT_INVALID`, `MAK_WRONG_GROUP`, `MAK_EXHAUSTED`,
   * `KEY_EXPIRED`.
   */
  async confirm(
    key: KeyRow,
    applicationId: string,
    installations: readonly Installation[],
    actor: Actor,
  ): Promise<ConfirmedBatch> {
    if (key.revoked_at !== null) throw refusalOfUse('KEY_REVOKED', key);
    const { catalogue } = await this.#parts.catalogues.require();
    const application = catalogue.applications.get(applicationId as ApplicationId);
    const refusals = installations.map((each) => refusalOf(each, applicationId, key, application));
    const asked = installations.filter((_, place) => refusals[place] === undefined);
    const rows = asked.length === 0 ? [] : await this.#keep(key, asked, actor);
    const answers = rows.map(({ code, issued }) => (code === '' ? issued : refusalOfUse(code, key)));
    const left = rows.at(-1)?.remaining ?? Math.max(key.mak_activations - key.mak_activations_used, 0);
    return { outcomes: refusals.map((refusal) => refusal ?? take(answers)), remaining: left };
  }

  async #keep(key: KeyRow, asked: readonly Installation[], actor: Actor): Promise<readonly ConfirmationRow[]> {
    const { store, clock, roots } = this.#parts;
    const root = await roots.require();
    const nowMs = clock.nowMs();
    const confirmations = await Promise.all(
      asked.map(({ edition, installationId }) =>
        issueMakConfirmation({
          vendor: root.name,
          vendorKey: root.key,
          installationId,
          application: key.application,
          productGroup: key.product_group,
          edition,
          confirmedAtMs: nowMs,
        }),
      ),
    );
    return store.query<ConfirmationRow>(confirmInstallationsStatement, [
      key.key_id,
      asked.map(({ installationId }) => Buffer.from(installationId).toString('hex')),
      asked.map(({ edition }) => edition),
      confirmations,
      nowMs,
      ...actor,
    ]);
  }
}

/** The answer of one installation on the wire. */
export function toResult(outcome: ConfirmationOutcome): InstallationResult {
  if (typeof outcome === 'string') return { confirmation: outcome, code: '', message: '' };
  return { confirmation: '', code: outcome.code, message: outcome.message };
}

/** A MAK serves the editions of its own group, and no group below it (DESIGN 2.1). */
function refusalOf(
  { edition, installationId }: Installation,
  applicationId: string,
  key: KeyRow,
  application: Application | undefined,
): MusterError | undefined {
  if (installationId.length !== installationIdBytes) {
    return new MusterError({
      code: 'INPUT_INVALID',
      message: `An installation id has ${installationIdBytes} bytes, not ${installationId.length}.`,
      remedy: 'Give the installation id as the machine made it.',
    });
  }
  const group = application?.editions.get(edition as EditionId)?.group;
  if (applicationId === key.application && group === key.product_group) return undefined;
  return new MusterError({
    code: 'MAK_WRONG_GROUP',
    message: `The MAK serves the product group ${key.product_group} of the application ${key.application}, and the edition is not in it.`,
  });
}

function take(answers: ConfirmationOutcome[]): ConfirmationOutcome {
  const next = answers.shift();
  if (next === undefined) throw new Error('the database has answered fewer installations than were asked');
  return next;
}
