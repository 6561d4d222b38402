// Files of others, read and written without executing anything in them.
export { ProtoReader, ProtoWriter, WireType } from './protobuf.js';
