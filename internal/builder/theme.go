package builder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"freshet/generator"
	"freshet/internal/digest"
	"freshet/templates"
)

// A theme is the folder of templates, and its state when it was last read.
type theme struct {
	folder string
	sum    digest.Sum // of the folder's files
	broken bool       // the files have mistakes, and the theme in use is an older one
}

// open reads the theme. If it is patient and templates have mistakes, it returns the built-in theme.
func (t *theme) open(folder string, patient bool) (*generator.Theme, error) {
	t.folder, t.sum = folder, folderSum(folder)
	read, err := loadTheme(folder)
	if _, mistakes := errors.AsType[*generator.ThemeError](err); mistakes && patient {
		t.broken = true
		return generator.LoadTheme(templates.FS, nil, "")
	}
	return read, err
}

// reload reads the theme again. It returns nil if the files have not changed since they were last read without a mistake.
func (t *theme) reload(changed bool) (*generator.Theme, error) {
	if !changed && !t.broken {
		return nil, nil
	}
	sum := folderSum(t.folder)
	if sum == t.sum && !t.broken {
		return nil, nil
	}
	t.sum, t.broken = sum, true
	read, err := loadTheme(t.folder)
	if err != nil {
		return nil, err
	}
	t.broken = false
	return read, nil
}

// folderSum returns the digest of the files in a theme's folder. It is cheaper than loading the theme. Zero: a file cannot be
// read; loading the theme reports why.
func folderSum(folder string) digest.Sum {
	h := digest.New()
	err := generator.WalkTheme(os.DirFS(folder), func(name string, data []byte) {
		h.String(name)
		h.Bytes(data)
	})
	if err != nil {
		return 0
	}
	return max(h.Sum(), 1)
}

// loadTheme loads the built-in theme with the folder's templates in place of its own. The folder may be absent.
func loadTheme(folder string) (*generator.Theme, error) {
	var override fs.FS
	switch info, err := os.Stat(folder); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("read templates: %w", err)
	case !info.IsDir():
		return nil, fmt.Errorf("read templates: %s is no folder", folder)
	default:
		override = os.DirFS(folder)
	}
	return generator.LoadTheme(templates.FS, override, filepath.ToSlash(folder))
}
