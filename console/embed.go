// Package console is the web interface, embedded in the binary: a plain page of live counts, until the console proper.
package console

import (
	"embed"
	"io/fs"
	"net/http"
)

//go:embed web
var files embed.FS

// Handler serves the page at / and its files beside it.
func Handler() http.Handler {
	web, err := fs.Sub(files, "web")
	if err != nil { // impossible: the folder is embedded above
		panic(err)
	}
	serve := http.FileServerFS(web)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		serve.ServeHTTP(w, r)
	})
}
