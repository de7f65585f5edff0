import type { Command } from '../command.ts';
import { contractsCompare } from './contracts-compare.ts';

/** Commands that need neither the app nor the database: they start at once, since nothing of the others is loaded for them. */
export const lightCommands: readonly Command[] = [contractsCompare];
