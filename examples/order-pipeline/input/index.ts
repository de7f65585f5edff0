export { groupInvoices, type InputTally, type Invoice, newTally } from './group-invoices.ts';
export { formatPounds, readPrice } from './money.ts';
export { InputError, readRows } from './read-rows.ts';
