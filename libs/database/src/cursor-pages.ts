import type { Session, Snapshot } from './database.ts';
import type { Statement } from './statement.ts';

/** Reading by cursors in a session that is inside a transaction, which closes those that were not read to their end. */
export function cursorPages(session: Session): Snapshot {
  let cursors = 0;
  return {
    query: session.query,
    async *pages<Row>(statement: Statement, rowsPerPage: number): AsyncIterable<readonly Row[]> {
      cursors += 1;
      const cursor = `page_cursor_${cursors}`;
      const run = <Result>(what: string, text: string) => session.query<Result>({ name: `${cursor}.${what}`, text });
      await run('declare', `declare ${cursor} no scroll cursor for ${statement.text}`);
      for (;;) {
        const page = await run<Row>('fetch', `fetch ${rowsPerPage} from ${cursor}`);
        if (page.length > 0) yield page;
        if (page.length < rowsPerPage) break;
      }
      await run('close', `close ${cursor}`);
    },
  };
}
