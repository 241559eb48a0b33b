import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { MusterError } from '@muster/product-groups';
import {
  type AuditEntry,
  type AuditFinding,
  type AuditHead,
  auditBeginning,
  readAuditRecord,
  verifyAuditChain,
} from '@muster/trust';
import { checkAnchors, formatAuditHead } from './audit-anchor.ts';
import { formatAuditLine, readAuditExport } from './audit-export-file.ts';
import { print, printJson, say } from './output.ts';
import { openExportOutput, outputFailed } from './site-export-output.ts';
import { administerVendor, type VendorOptions, withExitCode } from './vendor-link.ts';

/** The options of `muster audit verify`, parsed. */
export interface VerifyOptions extends VendorOptions {
  readonly anchor: readonly AuditHead[];
  /** An export to verify instead of the trail of an authority. */
  readonly file?: string | undefined;
}

/** `muster audit verify`. Returns the exit code. */
export function verifyAudit(options: VerifyOptions): Promise<number> {
  return withExitCode(async () => {
    const { anchor: anchors, file, json } = options;
    checkAnchors(anchors);
    const finding = await (file === undefined
      ? verifyTrail(options)
      : verifyAuditChain(readAuditExport(file), anchors));
    if (!finding.ok) {
      const problem = printableOf(finding.problem);
      if (json) printJson({ whole: false, brokenAt: finding.sequence, problem });
      throw new MusterError({
        code: 'AUDIT_BROKEN',
        message: `The audit trail is broken at record ${finding.sequence}: ${problem}.`,
      });
    }
    const { sequence } = finding.head;
    const end = formatAuditHead(finding.head);
    if (json) {
      printJson({ whole: true, records: sequence, auditHead: end, anchors: anchors.length });
      return;
    }
    print(`The audit trail is whole: ${records(sequence)}, up to ${end}`);
    if (anchors.length === 0) {
      say('Keep its end elsewhere: given by --anchor, it shows that nothing was cut off or written anew since.');
    }
  });
}

function verifyTrail(options: VerifyOptions): Promise<AuditFinding> {
  return administerVendor(options, async (authority) => {
    const finding = await verifyAuditChain(authority.auditTrail({ fromSequence: 1 }), options.anchor);
    if (!finding.ok || finding.head.sequence > 0) return finding;
    // A new authority has no records and no vendor; the making of a vendor is a record.
    await authority.getVendor({});
    return { ok: false, sequence: 1, problem: 'all records are removed' };
  });
}

/** A spoilt record may hold anything, also what would move the cursor of a terminal. */
function printableOf(problem: string): string {
  return problem.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
}

/** `muster audit export`. Returns the exit code. */
export function exportAudit(options: VendorOptions & { readonly output: string }): Promise<number> {
  return withExitCode(async () => {
    const { output, json } = options;
    const { count, head } = await administerVendor(options, async (authority) => {
      const written = { count: 0, head: auditBeginning };
      await writeLines(output, linesOf(authority.auditTrail({ fromSequence: 1 }), written));
      return written;
    });
    if (output === '-') return;
    const end = formatAuditHead(head);
    if (json) printJson({ file: output, records: count, auditHead: end });
    else {
      print(`${output} holds ${records(count)}, up to ${end}`);
      say(`Verify it at any time, anywhere: muster audit verify --file ${output} --anchor ${end}`);
    }
  });
}

async function* linesOf(
  entries: AsyncIterable<AuditEntry>,
  written: { count: number; head: AuditHead },
): AsyncIterable<string> {
  for await (const entry of entries) {
    const record = readAuditRecord(entry.record);
    const sequence = typeof record === 'string' ? written.head.sequence + 1 : record.sequence;
    written.count += 1;
    written.head = { sequence, hash: entry.hash };
    yield formatAuditLine(entry);
  }
}

/** A reader of standard output that has gone (`| head`) ends the command, as it does for other listings (main.ts). */
async function writeLines(place: string, lines: AsyncIterable<string>): Promise<void> {
  if (place === '-') {
    for await (const line of lines) if (!process.stdout.write(line)) await once(process.stdout, 'drain');
    return;
  }
  const output = openExportOutput(place);
  try {
    await pipeline(Readable.from(lines), output.stream);
    await output.finish();
  } catch (error) {
    output.discard();
    throw error instanceof MusterError ? error : outputFailed(place, error);
  }
}

function records(count: number): string {
  return `${count} ${count === 1 ? 'record' : 'records'}`;
}
