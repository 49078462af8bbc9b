'use strict';

const { Client } = require('katalys');

console.log(new Client('abcd.com').validateUpdate('1001').payload);
