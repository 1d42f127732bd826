/**
 * Prints the table of settings, or renews it in the documents named on the command line:
 * `node dist/libs/config/src/print.js [FILE…]`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { configurationTable, withConfigurationTable } from './table.js';

const documents = process.argv.slice(2);
for (const document of documents) writeFileSync(document, withConfigurationTable(readFileSync(document, 'utf8')));
if (documents.length === 0) process.stdout.write(`${configurationTable()}\n`);
