package duck

import (
	"math/big"
	"unsafe"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// vector is a column of one chunk, read where DuckDB has it.
type vector struct {
	*logical
	data  unsafe.Pointer
	valid unsafe.Pointer // nil where no value is null
	child []vector       // list, array: the values; map: keys and values; struct: its members; union: tag and members
}

func vectorOf(v duckdb.Vector, t *logical, size int) vector {
	x := vector{logical: t, data: duckdb.VectorGetData(v), valid: duckdb.VectorGetValidity(v)}
	switch t.id {
	case duckdb.TypeList:
		x.child = []vector{vectorOf(duckdb.ListVectorGetChild(v), t.members[0], int(duckdb.ListVectorGetSize(v)))}
	case duckdb.TypeArray:
		x.child = []vector{vectorOf(duckdb.ArrayVectorGetChild(v), t.members[0], size*t.size)}
	case duckdb.TypeMap:
		entries, n := duckdb.ListVectorGetChild(v), int(duckdb.ListVectorGetSize(v))
		x.child = []vector{vectorOf(duckdb.StructVectorGetChild(entries, 0), t.members[0], n),
			vectorOf(duckdb.StructVectorGetChild(entries, 1), t.members[1], n)}
	case duckdb.TypeStruct:
		for i, m := range t.members {
			x.child = append(x.child, vectorOf(duckdb.StructVectorGetChild(v, duckdb.IdxT(i)), m, size))
		}
	case duckdb.TypeUnion:
		tag := &logical{id: duckdb.TypeUTinyInt}
		x.child = append(x.child, vectorOf(duckdb.StructVectorGetChild(v, 0), tag, size))
		for i, m := range t.members {
			x.child = append(x.child, vectorOf(duckdb.StructVectorGetChild(v, duckdb.IdxT(i+1)), m, size))
		}
	}
	return x
}

func (v *vector) null(i int) bool {
	if v.id == duckdb.TypeSQLNull {
		return true
	}
	if v.valid == nil {
		return false
	}
	word := *(*uint64)(unsafe.Add(v.valid, (i/64)*8))
	return word&(1<<(i%64)) == 0
}

// at reads value i of a vector whose values are of type T.
func at[T any](v *vector, i int) T {
	var zero T
	return *(*T)(unsafe.Add(v.data, i*int(unsafe.Sizeof(zero))))
}

// bytes is a text or a blob, where DuckDB has it: 4 bytes of length, then up to 12 bytes inline, or a prefix of 4
// and a pointer.
func (v *vector) bytes(i int) []byte {
	p := unsafe.Add(v.data, i*16)
	n := *(*uint32)(p)
	if n <= 12 {
		return unsafe.Slice((*byte)(unsafe.Add(p, 4)), n)
	}
	return unsafe.Slice(*(**byte)(unsafe.Add(p, 8)), n)
}

// integer is any value that is held in at most 64 signed bits.
func (v *vector) integer(i int) int64 {
	storage := v.id
	if v.id == duckdb.TypeDecimal || v.id == duckdb.TypeEnum {
		storage = v.storage
	}
	switch storage {
	case duckdb.TypeTinyInt:
		return int64(at[int8](v, i))
	case duckdb.TypeUTinyInt:
		return int64(at[uint8](v, i))
	case duckdb.TypeSmallInt:
		return int64(at[int16](v, i))
	case duckdb.TypeUSmallInt:
		return int64(at[uint16](v, i))
	case duckdb.TypeInteger, duckdb.TypeDate:
		return int64(at[int32](v, i))
	case duckdb.TypeUInteger:
		return int64(at[uint32](v, i))
	}
	return at[int64](v, i)
}

// huge is an integer of 128 bits, as DuckDB holds HUGEINT, UHUGEINT, wide decimals and UUID.
type huge struct {
	low  uint64
	high int64
}

func (h huge) big(unsigned bool) *big.Int {
	n := new(big.Int)
	if unsigned {
		n.SetUint64(uint64(h.high))
	} else {
		n.SetInt64(h.high)
	}
	return n.Lsh(n, 64).Add(n, new(big.Int).SetUint64(h.low))
}

// span is where the values of list i lie in the child.
func (v *vector) span(i int) (from, to int) {
	if v.id == duckdb.TypeArray {
		return i * v.size, (i + 1) * v.size
	}
	entry := at[[2]uint64](v, i)
	return int(entry[0]), int(entry[0] + entry[1])
}
