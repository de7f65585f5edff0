import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { parse } from 'csv-parse';

/** One line of the feed, as it stands in the file: nothing is corrected here. */
export interface InputRow {
  readonly invoice: string;
  readonly stockCode: string;
  readonly description: string;
  readonly quantity: number;
  readonly invoiceDate: string;
  readonly unitPrice: string;
  readonly customerId: string;
  readonly country: string;
}

/** A row, or the reason why the line cannot be read as one. */
export type ReadRow = { readonly row: InputRow } | { readonly unreadable: string };

const COLUMNS = [
  'InvoiceNo',
  'StockCode',
  'Description',
  'Quantity',
  'InvoiceDate',
  'UnitPrice',
  'CustomerID',
  'Country',
] as const;

const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** The file is not what was announced: another format, other columns, not there. */
export class InputError extends Error {
  override readonly name = 'InputError';
}

/** Streams the rows of a CSV file, packed (`.gz`) or not, without ever holding more than a few of them. */
export async function* readRows(path: string): AsyncGenerator<ReadRow, void, undefined> {
  const parser = parse({ relax_column_count: true, bom: true });
  const source = createReadStream(path);
  // `pipeline` destroys the parser with whatever breaks on the way, so the loop below throws it.
  const done = (): void => {};
  if (path.endsWith('.gz')) pipeline(source, createGunzip(), parser, done);
  else pipeline(source, parser, done);
  let header = true;
  try {
    for await (const fields of parser as AsyncIterable<string[]>) {
      if (header) checkHeader(path, fields);
      else yield toRow(fields);
      header = false;
    }
  } catch (error) {
    if (error instanceof InputError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new InputError(`cannot read ${path}: ${reason}`, { cause: error });
  } finally {
    source.destroy();
  }
  if (header) throw new InputError(`${path} is empty: expected a header line ${COLUMNS.join(',')}`);
}

function checkHeader(path: string, fields: readonly string[]): void {
  if (COLUMNS.every((name, index) => fields[index] === name) && fields.length === COLUMNS.length) return;
  throw new InputError(`${path} has other columns: expected ${COLUMNS.join(',')}, got ${fields.join(',')}`);
}

function toRow(fields: readonly string[]): ReadRow {
  if (fields.length !== COLUMNS.length) return { unreadable: 'row with a wrong number of fields' };
  const [invoice, stockCode, description, quantityText, invoiceDate, unitPrice, customerId, country] =
    fields as readonly [string, string, string, string, string, string, string, string];
  const quantity = Number(quantityText);
  if (quantityText === '' || !Number.isSafeInteger(quantity))
    return { unreadable: 'row whose quantity is no whole number' };
  if (!TIMESTAMP.test(invoiceDate) || Number.isNaN(Date.parse(invoiceDate)))
    return { unreadable: 'row whose date cannot be read' };
  if (invoice === '' || stockCode === '')
    return { unreadable: 'row without an invoice number or a stock code' };
  return {
    row: { invoice, stockCode, description, quantity, invoiceDate, unitPrice, customerId, country },
  };
}
