console.log('bundle later', process.version);
