/** What `google/protobuf/*.proto` defines: known without being given. */

const files = [
  'any api compiler/plugin cpp_features descriptor duration empty field_mask go_features java_features',
  'source_context struct timestamp type wrappers',
];

const messages = [
  'Any Api Method Mixin Duration Empty FieldMask SourceContext Struct Value ListValue Timestamp',
  'Type Field Enum EnumValue Option',
  'DoubleValue FloatValue Int64Value UInt64Value Int32Value UInt32Value BoolValue StringValue BytesValue',
  'FileDescriptorSet FileDescriptorProto DescriptorProto DescriptorProto.ExtensionRange DescriptorProto.ReservedRange',
  'ExtensionRangeOptions ExtensionRangeOptions.Declaration FieldDescriptorProto OneofDescriptorProto',
  'EnumDescriptorProto EnumDescriptorProto.EnumReservedRange EnumValueDescriptorProto ServiceDescriptorProto',
  'MethodDescriptorProto FileOptions MessageOptions FieldOptions FieldOptions.EditionDefault FieldOptions.FeatureSupport',
  'OneofOptions EnumOptions EnumValueOptions ServiceOptions MethodOptions UninterpretedOption',
  'UninterpretedOption.NamePart FeatureSet FeatureSetDefaults SourceCodeInfo SourceCodeInfo.Location',
  'GeneratedCodeInfo GeneratedCodeInfo.Annotation compiler.Version compiler.CodeGeneratorRequest',
  'compiler.CodeGeneratorResponse compiler.CodeGeneratorResponse.File',
];

const enums = [
  'NullValue Syntax Field.Kind Field.Cardinality Edition FieldDescriptorProto.Type FieldDescriptorProto.Label',
  'FileOptions.OptimizeMode FieldOptions.CType FieldOptions.JSType FieldOptions.OptionRetention',
  'FieldOptions.OptionTargetType MethodOptions.IdempotencyLevel FeatureSet.FieldPresence FeatureSet.EnumType',
  'FeatureSet.RepeatedFieldEncoding FeatureSet.Utf8Validation FeatureSet.MessageEncoding FeatureSet.JsonFormat',
  'ExtensionRangeOptions.VerificationState SymbolVisibility',
];

const words = (lines: readonly string[]): string[] => lines.flatMap((line) => line.split(' '));

export const wellKnownFiles: ReadonlySet<string> = new Set(
  words(files).map((name) => `google/protobuf/${name}.proto`),
);

/** Full names, and what they are. */
export const wellKnownTypes: ReadonlyMap<string, 'message' | 'enum'> = new Map([
  ...words(messages).map((name) => [`google.protobuf.${name}`, 'message'] as const),
  ...words(enums).map((name) => [`google.protobuf.${name}`, 'enum'] as const),
]);
