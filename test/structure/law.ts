import type { Rule } from './rule.ts';
import { errorsFromCatalogue, noDefaultExports } from './rules/errors-from-catalogue.ts';
import {
  driversBehindTheSeam,
  importsGoDown,
  noDeepImports,
  noSelfReference,
} from './rules/imports-go-down.ts';
import { namesInKebabCase, namesSayWhat } from './rules/names.ts';
import { noCircles } from './rules/no-circles.ts';
import { nothingAmbient } from './rules/nothing-ambient.ts';
import { fewParameters, filesStayShort, functionsStayShort } from './rules/sizes.ts';
import { sqlInSqlFiles, sqlStaysInItsRoom } from './rules/sql-in-sql-files.ts';
import { testsShareNothing } from './rules/tests-share-nothing.ts';

/** The law of the house, each rule with canaries in `structure.test.ts` that it must catch. */
export const law: readonly Rule[] = [
  importsGoDown,
  noDeepImports,
  noSelfReference,
  driversBehindTheSeam,
  noCircles,
  filesStayShort,
  functionsStayShort,
  fewParameters,
  sqlInSqlFiles,
  sqlStaysInItsRoom,
  nothingAmbient,
  errorsFromCatalogue,
  noDefaultExports,
  namesSayWhat,
  namesInKebabCase,
  testsShareNothing,
];
