package lake

import (
	"context"
	"errors"
	"fmt"
	"strings"

	sqlcat "github.com/apache/iceberg-go/catalog/sql"
	"github.com/apache/iceberg-go/table"
)

// catalogue is iceberg-go's SQL catalogue, corrected: it answers a moved branch with an error that is not
// ErrCommitFailed, and only that one says that nothing was committed.
type catalogue struct{ *sqlcat.Catalog }

func (c catalogue) CommitTable(ctx context.Context, id table.Identifier, reqs []table.Requirement, ups []table.Update) (table.Metadata, string, error) {
	meta, location, err := c.Catalog.CommitTable(ctx, id, reqs, ups)
	if err != nil && !errors.Is(err, table.ErrCommitFailed) && strings.HasPrefix(err.Error(), "requirement failed: branch") {
		err = fmt.Errorf("%w: %w", table.ErrCommitFailed, err)
	}
	return meta, location, err
}

// LoadTable returns a table that commits through c.
func (c catalogue) LoadTable(ctx context.Context, id table.Identifier) (*table.Table, error) {
	t, err := c.Catalog.LoadTable(ctx, id)
	if err != nil {
		return nil, err
	}
	return table.New(t.Identifier(), t.Metadata(), t.MetadataLocation(), t.FS, c), nil
}
