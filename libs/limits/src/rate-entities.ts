/** The table of rates as a TypeORM entity; a test compares it with the migrations. */
import { EntitySchema } from 'typeorm';
import { columnTypes, type EntityFactory } from '@app/database';

export interface RateStateRow {
  /** A hash of what is counted. */
  scope: Buffer;
  /** The theoretical arrival time by the database's clock, in µs since the epoch: a millisecond is worth several requests. */
  tat: number;
  /** What the last statement that moved it took, in µs; read in the same transaction only. */
  taken: number;
}

const rateStates: EntityFactory = (engine) => {
  const t = columnTypes(engine);
  return new EntitySchema<RateStateRow>({
    name: 'RateState',
    tableName: 'rate_states',
    columns: { scope: t.hash({ primary: true }), tat: t.time(), taken: t.time() },
  });
};

/** What rates store. */
export const RATE_ENTITIES: readonly EntityFactory[] = [rateStates];
