import type { Database, Session } from '@muster/database';
import { MusterError } from '@muster/product-groups';

/** What the authority needs of its database. */
export type Store = Pick<Session, 'query'>;

/** A lock that was not to be had in time, a statement that took too long, and what the server broke off for others. */
const busyStates = new Set(['55P03', '57014', '40P01', '40001']);

/**
 * The database of an authority. Acts wait for each other, so that in a storm some wait for too long: nothing of theirs
 * is committed, and they are told to come again.
 */
export function storeOf(database: Database): Store {
  return {
    async query<Row>(...[statement, parameters]: Parameters<Database['query']>): Promise<readonly Row[]> {
      try {
        return await database.query<Row>(statement, parameters);
      } catch (error) {
        if (!busyStates.has((error as { readonly code?: string }).code ?? '')) throw error;
        throw new MusterError({
          code: 'UNAVAILABLE',
          message: 'The authority has more to do than it can at the moment.',
          remedy: 'Make the same request again in a few seconds: nothing is used twice.',
          cause: error,
        });
      }
    },
  };
}

/** The one row that a statement always answers with. */
export async function queryOne<Row>(store: Store, ...parameters: Parameters<Database['query']>): Promise<Row> {
  const [row] = await store.query<Row>(...parameters);
  if (row === undefined) throw new Error(`${parameters[0].name} answered no row`);
  return row;
}
