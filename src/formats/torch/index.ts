export { TorchStorage, TorchTensor } from './names.js';
export { readTorchData, type TorchData } from './plain-data.js';
export { type ReadTorchOptions, readTorch, type TorchFile } from './read.js';
export { type TorchEntry, type TorchParts, type TorchValue, torchParts, torchValueParts } from './write.js';
