export { TorchStorage, TorchTensor } from './names.js';
export { type ReadTorchOptions, readTorch, type TorchFile } from './read.js';
export { type TorchEntry, type TorchParts, torchParts } from './write.js';
