// Package engines has recipes for workers of queue engines, as packages to copy from. Begin with README.md.
package engines
