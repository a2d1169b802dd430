# steps.rb MODE PORT DATABASE - what an Active Record application does, as a transcript that
# is the same on every server. MODE forced: tables get comments for shardd.
require 'active_record'
require 'logger'

mode, port, database = ARGV
FORCED = mode == 'forced'
def wish(text) = FORCED ? { comment: "shardd: #{text}" } : {}

ActiveRecord::Base.establish_connection(
  adapter: 'mysql2', host: '127.0.0.1', port: port.to_i, username: 'app', password: 'app',
  database: database, encoding: 'utf8mb4', pool: 5
)
ActiveRecord::Base.logger = nil
ActiveRecord::Migration.verbose = false

class First < ActiveRecord::Migration[6.1]
  def change
    create_table(:authors, **wish('reference')) do |t|
      t.string :name, null: false, limit: 60
      t.date :born
      t.timestamps precision: 6
      t.index :name, unique: true
    end
    create_table(:books, **wish('key(id)')) do |t|
      t.references :author, foreign_key: true
      t.string :title, limit: 80
      t.decimal :price, precision: 8, scale: 2
      t.integer :lock_version, default: 0
      t.json :extra
      t.boolean :sold, default: false
      t.timestamps
    end
    create_table(:loans, id: :string, **wish('key(id)')) do |t|
      t.bigint :book_id, null: false
      t.datetime :due, precision: 3
      t.integer :state, default: 0
      t.index :book_id
    end
    create_table(:visits, **wish('key(id)')) do |t|
      t.string :path
      t.float :seconds
      t.binary :raw
      t.index :path
    end
    create_table(:pictures, **wish('key(id)')) do |t|
      t.references :of, polymorphic: true, index: false
      t.text :caption
    end
    create_table(:notes, **wish('key(id)')) { |t| t.text :body }
  end
end

class Second < ActiveRecord::Migration[6.1]
  def up
    add_column :visits, :agent, :string, default: 'none', null: false
    add_index :visits, :agent
    rename_column :notes, :body, :text
    change_column :notes, :text, :text, limit: 16_777_215
    execute "INSERT INTO notes (text) VALUES ('from a migration')"
    add_check_constraint :books, 'price >= 0', name: 'price_positive'
  end
end

class Author < ActiveRecord::Base
  has_many :books, dependent: :destroy
end

class Book < ActiveRecord::Base
  belongs_to :author
  has_many :loans
  has_many :pictures, as: :of
  scope :dear, -> { where('price > ?', 20) }
  validates :title, presence: true
  attribute :extra, :json
end

class Loan < ActiveRecord::Base
  belongs_to :book
  enum state: { open: 0, back: 1 }, _prefix: true
end

class Visit < ActiveRecord::Base; end
class Note < ActiveRecord::Base; end

class Picture < ActiveRecord::Base
  belongs_to :of, polymorphic: true
end

def say(*words) = puts("    #{words.map(&:inspect).join(' ')}")

def step(name)
  puts name
  yield
rescue ActiveRecord::ActiveRecordError, Mysql2::Error => e
  cause = e.cause || e
  code = cause.respond_to?(:error_number) ? cause.error_number : 0
  puts "    ERROR #{e.class} #{code}"
  warn "#{name}: #{cause.message}"
end

step('migrations') do
  ActiveRecord::SchemaMigration.create_table
  ActiveRecord::InternalMetadata.create_table
  [First, Second].each_with_index do |m, i|
    m.new.exec_migration(ActiveRecord::Base.connection, :up) if m == First
    m.new.up if m == Second
    ActiveRecord::SchemaMigration.create!(version: "2026#{i}")
  end
  say ActiveRecord::SchemaMigration.order(:version).pluck(:version)
  say ActiveRecord::InternalMetadata.create!(key: 'environment', value: 'test').value
end

step('create') do
  8.times { |i| Author.create!(name: "author #{i}", born: Date.new(1950 + i, 1, 1)) }
  40.times do |i|
    Book.create!(title: "book #{format('%02d', i)}", author: Author.find_by(name: "author #{i % 8}"),
                 price: i * 1.25, extra: { 'n' => i, 'tags' => ['x'] * (i % 3) })
  end
  Visit.insert_all((0...60).map { |i| { path: "/#{i % 7}", seconds: i / 3.0, raw: [i].pack('C') } })
  Book.order(:title).each_with_index { |b, i| Loan.create!(id: "loan-#{i}", book: b, due: Time.utc(2026, 1, 1 + i % 28)) }
  Book.order(:title).limit(5).each { |b| b.pictures.create!(caption: "of #{b.title}") }
  say Author.count, Book.count, Visit.count, Loan.count, Picture.count
end

step('find') do
  book = Book.find_by!(title: 'book 07')
  say book.price, book.extra, book.sold, Book.find(book.id).title, book.author.name
  say Book.where(title: ['book 01', 'book 02']).order(:title).pluck(:title, :price)
  say Book.dear.order(price: :desc).limit(3).offset(1).pluck(:title)
  say Visit.where(path: '/3').order(:seconds).pluck(:seconds), Visit.distinct.order(:path).pluck(:path)
  say Loan.find('loan-9').due, Loan.exists?('none'), Book.where.not(sold: true).count
  say Book.find_each(batch_size: 7).map(&:title).size, Visit.in_batches(of: 25).map(&:count).sum
  say Note.first.text, Book.order(:title).last.title, Book.none.count
end

step('calculate') do
  say Book.sum(:price), Book.average(:price), Book.maximum(:title), Book.minimum(:price)
  say Visit.group(:path).order(:path).count, Visit.group(:path).having('COUNT(*) > 8').order(:path).sum(:seconds).transform_values { |x| x.round(4) }
  say Visit.distinct.count(:path), Loan.state_open.count
end

step('relations') do
  say Author.includes(:books).order(:name).map { |a| [a.name, a.books.map(&:title).sort] }.first
  say Book.preload(:author, :pictures).order(:title).limit(3).map { |b| [b.author.name, b.pictures.map(&:caption)] }
  say Book.joins(:author).where(authors: { name: 'author 3' }).order(:title).pluck(:title)
  say Author.joins(:books).group('authors.name').order('authors.name').sum('books.price').first
  say Book.eager_load(:author).order('books.title').first.author.name
end

step('join_on_another_column') do
  say Book.joins(:loans).where(loans: { id: 'loan-3' }).pluck(:title)
end

step('left_join_on_another_column') do
  say Book.left_outer_joins(:pictures).where(pictures: { id: nil }).count
end

step('in_a_subquery') do
  say Loan.where(book_id: Book.where(title: 'book 05').select(:id)).count
end

step('update') do
  book = Book.find_by!(title: 'book 10')
  book.update!(price: 99.5, extra: { changed: true })
  stale = Book.find(book.id)
  book.touch
  book.increment!(:price, 1)
  say book.reload.price, book.lock_version, stale.price
  begin
    stale.update!(price: 1)
  rescue ActiveRecord::StaleObjectError => e
    say e.class
  end
  say Book.where('price < 5').update_all(sold: true), Visit.where(path: '/1').update_all('seconds = seconds + 100')
  say Visit.where('seconds > 100').count, Loan.find('loan-1').state_back!, Loan.state_back.count
  Visit.upsert_all([{ id: 1_000_000, path: '/up', seconds: 1 }])
  say Visit.where(path: '/up').count
end

step('transactions') do
  Book.transaction do
    Book.update_all(sold: false)
    Loan.find('loan-2').destroy
    raise ActiveRecord::Rollback
  end
  say Book.where(sold: true).count, Loan.exists?('loan-2')
  Book.transaction do
    Visit.create!(path: '/outer', seconds: 0)
    Book.transaction(requires_new: true) do
      Visit.create!(path: '/inner', seconds: 0)
      raise ActiveRecord::Rollback
    end
    Visit.create!(path: '/after', seconds: 0)
  end
  say Visit.where(path: ['/outer', '/inner', '/after']).order(:path).pluck(:path)
  Book.find_by(title: 'book 11').with_lock { |*| say Book.lock.where(title: 'book 11').count }
  Book.transaction(isolation: :read_committed) { say Book.where(title: 'book 12').lock('FOR UPDATE').count }
end

step('unique') { Author.create!(name: 'author 1') }
step('not_null') { Author.create!(name: nil) }
step('check') { Book.find_by(title: 'book 01').update!(price: -1) }
step('foreign_key') do
  begin
    Book.create!(title: 'x', author_id: 0)
  rescue ActiveRecord::ActiveRecordError => e
    say e.class
  end
  Book.insert_all!([{ title: 'x', author_id: -5, created_at: Time.now, updated_at: Time.now }])
end
step('duplicate_id') { Loan.create!(id: 'loan-5', book_id: 1) }
step('no_such_row') { Loan.find('nothing') }
step('too_long') { Author.create!(name: 'x' * 100) }

step('schema') do
  c = ActiveRecord::Base.connection
  say c.tables.sort, c.views, c.table_exists?('books'), c.primary_key('books'), c.primary_key('loans')
  say c.columns('books').map { |x| [x.name, x.sql_type, x.null, x.default] }
  say c.indexes('visits').map { |i| [i.name, i.columns, i.unique] }.sort
  say c.foreign_keys('books').map { |f| [f.from_table, f.to_table, f.column] }, c.check_constraints('books').map(&:name)
  say c.select_value('SELECT 1 + 1'), c.select_rows("SELECT path, COUNT(*) FROM visits WHERE path = '/2' GROUP BY path")
  say c.current_database == ARGV[2], c.charset, c.collation, c.show_variable('sql_mode').split(',').include?('STRICT_ALL_TABLES')
  say c.explain(Author.where(name: 'author 1').arel).lines.size
end

step('delete') do
  say Visit.where(path: '/2').delete_all, Author.find_by(name: 'author 7').destroy.name, Book.count
  say Loan.destroy_all.size, Loan.count, Picture.delete_all
  ActiveRecord::Base.connection.truncate(:visits)
  say Visit.count
end

step('threads') do
  4.times.map { |t| Thread.new { 10.times { |i| Visit.create!(path: "/t#{t}", seconds: i) } } }.each(&:join)
  say Visit.group(:path).order(:path).count
end
