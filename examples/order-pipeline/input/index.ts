export { groupInvoices, type InputTally, type Invoice, newTally } from './group-invoices.ts';
export { formatPounds, type Price, readPrice } from './money.ts';
export { InputError, type InputRow, readRows } from './read-rows.ts';
