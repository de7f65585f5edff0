import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { casesPath, samplePath } from '../test/data.ts';
import {
  formatPounds,
  groupInvoices,
  InputError,
  type Invoice,
  newTally,
  readPrice,
  readRows,
} from './index.ts';

const HEADER = 'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n';

async function invoicesOf(
  path: string,
  limit?: number,
): Promise<{ invoices: Invoice[]; tally: ReturnType<typeof newTally> }> {
  const tally = newTally();
  const invoices: Invoice[] = [];
  for await (const invoice of groupInvoices(readRows(path), tally, limit)) invoices.push(invoice);
  return { invoices, tally };
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'order-pipeline-input-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function fileOf(text: string | Buffer, name = 'feed.csv'): Promise<string> {
  await writeFile(join(folder, name), text);
  return join(folder, name);
}

describe('prices', () => {
  it.each([
    ['2.55', 255],
    ['2.1', 210],
    ['0', 0],
    ['607.49', 60749],
    ['1.10', 110],
    ['0.290', 29],
    ['38970', 3_897_000],
  ])('%s is %i pence', (text, pence) => {
    expect(readPrice(text)).toEqual({ kind: 'pence', pence });
  });

  it.each([
    ['0.001', 'finer than a penny'],
    ['-11062.06', 'negative'],
    ['', 'not a price'],
    ['1e3', 'not a price'],
    ['99999999999999999', 'not a price'],
  ])('%s is %s', (text, kind) => {
    expect(readPrice(text)).toEqual({ kind });
  });

  it('are shown in pounds', () => {
    expect([formatPounds(1_234_567), formatPounds(-5), formatPounds(0)]).toEqual([
      '12,345.67',
      '-0.05',
      '0.00',
    ]);
  });
});

describe('the sample', () => {
  it('has 138 invoices with 3,053 rows, six of them cancellations', async () => {
    const { invoices, tally } = await invoicesOf(samplePath);
    expect(tally).toMatchObject({ rows: 3053, invoices: 138, cancellations: 6, unreadable: new Map() });
    expect(invoices.filter(({ customerId }) => customerId === '')).toHaveLength(15);
  });

  it('comes out in the order of its first rows, whole, and not beyond the limit', async () => {
    const { invoices, tally } = await invoicesOf(samplePath, 5);
    expect(invoices.map(({ number }) => number)).toEqual(['536365', '536366', '536367', '536368', '536369']);
    expect(invoices.map(({ rows }) => rows.length)).toEqual([7, 2, 12, 4, 1]);
    expect(tally.invoices).toBe(5);
  });

  it('is the same when packed', async () => {
    const { readFile } = await import('node:fs/promises');
    const packed = await fileOf(gzipSync(await readFile(samplePath)), 'sample.csv.gz');
    expect((await invoicesOf(packed)).invoices).toEqual((await invoicesOf(samplePath)).invoices);
  });
});

describe('the cases', () => {
  it('keeps an invoice whole whose rows are interleaved with another one’s', async () => {
    const { invoices } = await invoicesOf(casesPath);
    const numbers = invoices.map(({ number }) => number);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(invoices).toHaveLength(29);
    expect(numbers).toContain('542806');
  });

  it('takes the first of two timestamps', async () => {
    const { invoices } = await invoicesOf(casesPath);
    const invoice = invoices.find(({ number }) => number === '544926');
    const times = new Set(invoice?.rows.map(({ invoiceDate }) => invoiceDate));
    expect(times.size).toBe(2);
    expect(invoice?.placedAt).toBe([...times].sort()[0]);
  });

  it('keeps identical lines: they repeat legitimately', async () => {
    const { invoices } = await invoicesOf(casesPath);
    const rows =
      invoices.find(({ number }) => number === '572344')?.rows.map((row) => JSON.stringify(row)) ?? [];
    expect(rows.length).toBeGreaterThan(new Set(rows).size);
  });
});

describe('a file that is not what was announced', () => {
  it('is refused with what is wrong', async () => {
    await expect(invoicesOf(join(folder, 'nowhere.csv'))).rejects.toThrow(/ENOENT/);
    await expect(invoicesOf(await fileOf(''))).rejects.toThrow(/is empty/);
    await expect(invoicesOf(await fileOf('a,b\n1,2\n'))).rejects.toThrow(/other columns: expected InvoiceNo/);
    await expect(invoicesOf(await fileOf('no gzip', 'bad.csv.gz'))).rejects.toThrow(InputError);
  });

  it('loses only the lines that are no rows, and counts them by reason', async () => {
    const good = '1,22752,BOX,2,2010-12-01T08:26:00Z,7.65,17850,United Kingdom\n';
    const bad =
      '1,22752\n1,22752,BOX,two,2010-12-01T08:26:00Z,1,1,UK\n1,22752,BOX,2,yesterday,1,1,UK\n,1,,2,2010-12-01T08:26:00Z,1,1,UK\n';
    const { invoices, tally } = await invoicesOf(await fileOf(HEADER + bad + good));
    expect(invoices.map(({ rows }) => rows.length)).toEqual([1]);
    expect([...tally.unreadable.values()]).toEqual([1, 1, 1, 1]);
  });
});

describe('grouping', () => {
  it('holds only what lies within the look-ahead', async () => {
    const rows = async function* (): AsyncGenerator<{ row: Invoice['rows'][number] }> {
      for (let minute = 0; minute < 2_000; minute += 1) {
        const invoiceDate = new Date(Date.UTC(2011, 0, 1) + minute * 60_000)
          .toISOString()
          .replace('.000', '');
        yield {
          row: {
            invoice: String(minute),
            stockCode: 'x',
            description: '',
            quantity: 1,
            invoiceDate,
            unitPrice: '1',
            customerId: '',
            country: 'EIRE',
          },
        };
      }
    };
    const tally = newTally();
    let read = 0;
    const counted = async function* (): AsyncGenerator<{ row: Invoice['rows'][number] }> {
      for await (const row of rows()) {
        read += 1;
        yield row;
      }
    };
    let ahead = 0;
    for await (const _invoice of groupInvoices(counted(), tally))
      ahead = Math.max(ahead, read - tally.invoices);
    expect(ahead).toBeLessThan(15);
    expect(tally.invoices).toBe(2_000);
  });
});
