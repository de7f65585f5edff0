import protobuf from 'protobufjs';
import type { Invalid, ParsedFile } from './parse-file.ts';
import type { NamedFieldType } from './protobuf-schema.ts';
import { qualify } from './scope.ts';
import { wellKnownTypes } from './well-known.ts';

type Kind = NamedFieldType['kind'];

/** All types of one version by their full names, and how names are looked up from where they are used. */
export class TypeNames {
  readonly #kinds = new Map<string, Kind>(wellKnownTypes);
  readonly #invalid: Invalid;

  constructor(files: readonly ParsedFile[], invalid: Invalid) {
    this.#invalid = invalid;
    const seen = new Set<string>();
    const add = (path: string, scope: string, objects: readonly protobuf.ReflectionObject[]): void => {
      for (const object of objects) {
        const name = qualify(scope, object.name);
        if (seen.has(name)) throw invalid(path, `${name} is defined twice`);
        seen.add(name);
        if (object instanceof protobuf.Enum) this.#kinds.set(name, 'enum');
        if (!(object instanceof protobuf.Type)) continue;
        this.#kinds.set(name, isGroup(object) ? 'group' : 'message');
        add(path, name, object.nestedArray);
      }
    };
    for (const file of files) add(file.path, file.package, file.definitions);
  }

  /** Innermost scope first, as Protobuf looks names up; a leading dot begins at the root. */
  resolve(name: string, scope: string, file: string): NamedFieldType {
    for (
      let around = name.startsWith('.') ? '' : scope;
      ;
      around = around.slice(0, Math.max(0, around.lastIndexOf('.')))
    ) {
      const full = qualify(around, name.replace(/^\./, ''));
      const kind = this.#kinds.get(full);
      if (kind !== undefined) return { kind, name: full };
      if (around === '') throw this.#invalid(file, `${scope} refers to ${name}, which is not defined`);
    }
  }
}

/** The library's declarations leave it out. */
export const isGroup = (type: protobuf.Type): boolean => 'group' in type && type.group === true;
