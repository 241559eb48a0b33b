import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createFileRegistry,
  type DescMessage,
  type DescMethod,
  type FileRegistry,
  fromBinary,
} from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { descriptorSet } from '../src/descriptors/descriptor-set.ts';
import { baselineImage, filesBelow, root } from './tools.ts';

export type Method = MethodDefinition<object, object>;

/** What ts-proto made of a message. */
export interface Codec {
  encode(value: object): { finish(): Uint8Array };
  decode(bytes: Uint8Array): object;
}

/** The generated contracts of one release with the descriptors that they come from. */
export interface Contracts {
  readonly messages: ReadonlyMap<string, { readonly descriptor: DescMessage; readonly codec: Codec }>;
  /** By their path. */
  readonly methods: ReadonlyMap<string, { readonly descriptor: DescMethod; readonly definition: Method }>;
}

async function readContracts(directory: string, descriptors: Uint8Array): Promise<Contracts> {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptors));
  const exported = new Map<string, unknown>();
  for (const path of Object.keys(filesBelow(join(root, directory)))) {
    const module: Record<string, unknown> = await import(join(root, directory, path));
    for (const [name, value] of Object.entries(module)) exported.set(`${module.protobufPackage}.${name}`, value);
  }
  return { messages: messagesOf(registry, exported), methods: methodsOf(registry, exported) };
}

function messagesOf(registry: FileRegistry, exported: ReadonlyMap<string, unknown>): Contracts['messages'] {
  const messages = [...registry].filter((each) => each.kind === 'message');
  return new Map(
    messages.map((descriptor) => {
      const name = `${descriptor.file.proto.package}.${localName(descriptor)}`;
      const codec = exported.get(name) as Codec | undefined;
      if (codec === undefined) throw new Error(`there is no generated code of ${name}`);
      return [descriptor.typeName, { descriptor, codec }];
    }),
  );
}

/** A message inside another is generated beside it. */
function localName(descriptor: DescMessage): string {
  return descriptor.parent === undefined ? descriptor.name : `${localName(descriptor.parent)}_${descriptor.name}`;
}

function methodsOf(registry: FileRegistry, exported: ReadonlyMap<string, unknown>): Contracts['methods'] {
  const services = [...registry].filter((each) => each.kind === 'service');
  return new Map(
    services.flatMap((service) => {
      const generated = exported.get(`${service.typeName}Service`) as ServiceDefinition | undefined;
      return service.methods.map((descriptor) => {
        const path = `/${service.typeName}/${descriptor.name}`;
        const definition = Object.values(generated ?? {}).find((each) => each.path === path);
        if (definition === undefined) throw new Error(`there is no generated code of ${path}`);
        return [path, { descriptor, definition: definition as Method }] as const;
      });
    }),
  );
}

/** The contracts of the last release. */
export const baseline = await readContracts('libs/contracts/baseline/generated', readFileSync(baselineImage));
/** The contracts as they stand. */
export const today = await readContracts('libs/contracts/src/generated', descriptorSet);
