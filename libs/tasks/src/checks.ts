/** The checks of the migrations, as far as the entities must name them. */
import type { Engine } from '@app/database';

/** A check is declared for SQLite only: TypeORM does not look at those of the MySQL family. */
export function checks(engine: Engine, named: Readonly<Record<string, string>>): { name: string; expression: string }[] {
  return engine === 'sqlite' ? Object.entries(named).map(([name, expression]) => ({ name, expression })) : [];
}
