package console

import (
	"io/fs"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// TestThePageAsksNobodyElse: the page works without the internet, and under a policy that allows no inline script.
func TestThePageAsksNobodyElse(t *testing.T) {
	page := httptest.NewRecorder()
	Handler().ServeHTTP(page, httptest.NewRequest("GET", "/", nil))
	if page.Code != 200 || !strings.Contains(page.Body.String(), "<title>Kith</title>") {
		t.Fatalf("got %d", page.Code)
	}
	inline := regexp.MustCompile(`(?s)<script[^>]*>\s*[^<\s]|<style| on[a-z]+="| style="`)
	outside := regexp.MustCompile(`(src|href|url\()=?["']?(https?:)?//`)
	err := fs.WalkDir(files, "web", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := files.ReadFile(path)
		if outside.Match(text) {
			t.Errorf("%s asks another server: %s", path, outside.Find(text))
		}
		if strings.HasSuffix(path, ".html") && inline.Match(text) {
			t.Errorf("%s has inline code: %s", path, inline.Find(text))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, kind := range map[string]string{"/kith.js": "text/javascript", "/kith.css": "text/css", "/mark.svg": "image/svg+xml"} {
		file := httptest.NewRecorder()
		Handler().ServeHTTP(file, httptest.NewRequest("GET", path, nil))
		if file.Code != 200 || !strings.HasPrefix(file.Header().Get("Content-Type"), kind) {
			t.Errorf("%s: %d %s", path, file.Code, file.Header().Get("Content-Type"))
		}
	}
}
