package duck

import (
	"fmt"
	"strings"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// logical is a column's type as DuckDB has it.
type logical struct {
	id           duckdb.Type
	storage      duckdb.Type // of a decimal and of an enum: the integer that holds it
	width, scale int         // of a decimal
	json         bool        // a VARCHAR that holds JSON
	words        []string    // of an enum
	names        []string    // of a struct's or a union's members
	members      []*logical  // of a list, array (1), map (2), struct, union
	size         int         // of an array
}

func logicalOf(t duckdb.LogicalType) *logical {
	l := &logical{id: duckdb.GetTypeId(t)}
	switch l.id {
	case duckdb.TypeDecimal:
		l.width, l.scale = int(duckdb.DecimalWidth(t)), int(duckdb.DecimalScale(t))
		l.storage = duckdb.DecimalInternalType(t)
	case duckdb.TypeVarchar:
		l.json = duckdb.LogicalTypeGetAlias(t) == "JSON"
	case duckdb.TypeEnum:
		l.storage = duckdb.EnumInternalType(t)
		for i := range duckdb.EnumDictionarySize(t) {
			l.words = append(l.words, duckdb.EnumDictionaryValue(t, duckdb.IdxT(i)))
		}
	case duckdb.TypeList:
		l.member("", duckdb.ListTypeChildType(t))
	case duckdb.TypeArray:
		l.size = int(duckdb.ArrayTypeArraySize(t))
		l.member("", duckdb.ArrayTypeChildType(t))
	case duckdb.TypeMap:
		l.member("", duckdb.MapTypeKeyType(t))
		l.member("", duckdb.MapTypeValueType(t))
	case duckdb.TypeStruct:
		for i := range duckdb.StructTypeChildCount(t) {
			l.member(duckdb.StructTypeChildName(t, i), duckdb.StructTypeChildType(t, i))
		}
	case duckdb.TypeUnion:
		for i := range duckdb.UnionTypeMemberCount(t) {
			l.member(duckdb.UnionTypeMemberName(t, i), duckdb.UnionTypeMemberType(t, i))
		}
	}
	return l
}

func (l *logical) member(name string, t duckdb.LogicalType) {
	l.names = append(l.names, name)
	l.members = append(l.members, logicalOf(t))
	duckdb.DestroyLogicalType(&t)
}

// String is the type as SQL writes it.
func (l *logical) String() string {
	switch l.id {
	case duckdb.TypeDecimal:
		return fmt.Sprintf("DECIMAL(%d,%d)", l.width, l.scale)
	case duckdb.TypeVarchar:
		if l.json {
			return "JSON"
		}
	case duckdb.TypeEnum:
		quoted := make([]string, len(l.words))
		for i, word := range l.words {
			quoted[i] = quote(word)
		}
		return "ENUM(" + strings.Join(quoted, ", ") + ")"
	case duckdb.TypeList:
		return l.members[0].String() + "[]"
	case duckdb.TypeArray:
		return fmt.Sprintf("%s[%d]", l.members[0], l.size)
	case duckdb.TypeMap:
		return fmt.Sprintf("MAP(%s, %s)", l.members[0], l.members[1])
	case duckdb.TypeStruct, duckdb.TypeUnion:
		parts := make([]string, len(l.members))
		for i, m := range l.members {
			parts[i] = strings.TrimSpace(l.names[i] + " " + m.String())
		}
		return plainNames(l.id) + "(" + strings.Join(parts, ", ") + ")"
	}
	return plainNames(l.id)
}

func plainNames(id duckdb.Type) string {
	switch id {
	case duckdb.TypeBoolean:
		return "BOOLEAN"
	case duckdb.TypeTinyInt:
		return "TINYINT"
	case duckdb.TypeSmallInt:
		return "SMALLINT"
	case duckdb.TypeInteger:
		return "INTEGER"
	case duckdb.TypeBigInt:
		return "BIGINT"
	case duckdb.TypeHugeInt:
		return "HUGEINT"
	case duckdb.TypeUTinyInt:
		return "UTINYINT"
	case duckdb.TypeUSmallInt:
		return "USMALLINT"
	case duckdb.TypeUInteger:
		return "UINTEGER"
	case duckdb.TypeUBigInt:
		return "UBIGINT"
	case duckdb.TypeUHugeInt:
		return "UHUGEINT"
	case duckdb.TypeFloat:
		return "FLOAT"
	case duckdb.TypeDouble:
		return "DOUBLE"
	case duckdb.TypeVarchar:
		return "VARCHAR"
	case duckdb.TypeBlob:
		return "BLOB"
	case duckdb.TypeBit:
		return "BIT"
	case duckdb.TypeUUID:
		return "UUID"
	case duckdb.TypeDate:
		return "DATE"
	case duckdb.TypeTime:
		return "TIME"
	case duckdb.TypeTimeTZ:
		return "TIME WITH TIME ZONE"
	case duckdb.TypeTimestamp:
		return "TIMESTAMP"
	case duckdb.TypeTimestampS:
		return "TIMESTAMP_S"
	case duckdb.TypeTimestampMS:
		return "TIMESTAMP_MS"
	case duckdb.TypeTimestampNS:
		return "TIMESTAMP_NS"
	case duckdb.TypeTimestampTZ:
		return "TIMESTAMP WITH TIME ZONE"
	case duckdb.TypeInterval:
		return "INTERVAL"
	case duckdb.TypeStruct:
		return "STRUCT"
	case duckdb.TypeUnion:
		return "UNION"
	case duckdb.TypeSQLNull:
		return "NULL"
	case duckdb.TypeBigNum:
		return "BIGNUM"
	case duckdb.TypeTimeNS:
		return "TIME_NS"
	case duckdb.TypeVariant:
		return "VARIANT"
	case duckdb.TypeGeometry:
		return "GEOMETRY"
	}
	return fmt.Sprintf("type %d", id)
}

// supported reports whether values of the type can leave DuckDB. The others are few, and a cast makes them text.
func (l *logical) supported() bool {
	switch l.id {
	case duckdb.TypeBigNum, duckdb.TypeTimeNS, duckdb.TypeVariant, duckdb.TypeGeometry:
		return false
	}
	if strings.HasPrefix(plainNames(l.id), "type ") && len(l.members) == 0 && l.id != duckdb.TypeEnum && l.id != duckdb.TypeDecimal {
		return false
	}
	for _, m := range l.members {
		if !m.supported() {
			return false
		}
	}
	return true
}
