package main

var retryFeatures, queueFeatures []row
